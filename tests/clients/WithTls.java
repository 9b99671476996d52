// pgjdbc over TLS with a verified certificate and a password: java -cp postgresql.jar WithTls.java PORT CA PASSWORD

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Properties;

public class WithTls {
    public static void main(String[] arguments) throws SQLException {
        String url = "jdbc:postgresql://localhost:" + arguments[0] + "/audience";
        Properties properties = new Properties();
        properties.setProperty("user", "postgres");
        properties.setProperty("password", arguments[2]);
        properties.setProperty("sslmode", "verify-full");
        properties.setProperty("sslrootcert", arguments[1]);
        try (Connection connection = DriverManager.getConnection(url, properties);
                ResultSet rows = connection.createStatement().executeQuery("SELECT current_user")) {
            rows.next();
            if (!"postgres".equals(rows.getString(1))) {
                throw new AssertionError("user " + rows.getString(1));
            }
        }
        properties.setProperty("password", "wrong");
        try {
            DriverManager.getConnection(url, properties).close();
            throw new AssertionError("a wrong password got in");
        } catch (SQLException error) {
            if (!"28P01".equals(error.getSQLState())) {
                throw error;
            }
        }
    }
}
