// pgjdbc: prepared statements, fetch size, metadata of a result, batches, transactions, SQLSTATEs, cancel.

import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.Properties;

public class WithJdbc {
    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:postgresql://127.0.0.1:" + arguments[0] + "/audience";
        Properties properties = new Properties();
        properties.setProperty("user", "postgres");
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            same("version", connection.getMetaData().getDatabaseMajorVersion(), 15);
            prepared(connection);
            fetchSize(connection);
            metadata(connection);
            transactions(connection);
            errors(connection);
            timeout(connection);
        }
        // Everything again without the driver's own preparing, as poolers ask for it.
        try (Connection connection = DriverManager.getConnection(url + "?preferQueryMode=simple&user=postgres")) {
            prepared(connection);
            errors(connection);
        }
        System.out.println("pgjdbc " + org.postgresql.Driver.class.getPackage().getImplementationVersion() + " ok");
    }

    static void prepared(Connection connection) throws SQLException {
        String sql = "SELECT name, joined FROM households WHERE household_id >= ? AND name <> ? ORDER BY household_id";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            // Often enough for the driver to prepare it on the server and to turn to the binary format.
            for (int i = 0; i < 12; i++) {
                statement.setLong(1, 2);
                statement.setString(2, "Cruz");
                try (ResultSet rows = statement.executeQuery()) {
                    same("row", rows.next(), true);
                    same("name", rows.getString(1), "Bell");
                    same("joined", rows.getDate("joined"), Date.valueOf("2024-02-29"));
                    same("row", rows.next(), true);
                    same("null", rows.getDate(2), null);
                    same("end", rows.next(), false);
                }
            }
        }
        String typed = "SELECT ?::bigint, ?::numeric, ?::timestamp, ?::text, ?::boolean, ?::double precision";
        try (PreparedStatement statement = connection.prepareStatement(typed)) {
            for (int i = 0; i < 7; i++) {
                statement.setLong(1, Long.MIN_VALUE);
                statement.setBigDecimal(2, new BigDecimal("12.3400"));
                statement.setTimestamp(3, Timestamp.valueOf("2024-02-29 12:34:56.789"));
                statement.setNull(4, Types.VARCHAR);
                statement.setBoolean(5, true);
                statement.setDouble(6, -0.1);
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    same("bigint", rows.getLong(1), Long.MIN_VALUE);
                    same("numeric", rows.getBigDecimal(2).compareTo(new BigDecimal("12.34")), 0);
                    same("timestamp", rows.getTimestamp(3), Timestamp.valueOf("2024-02-29 12:34:56.789"));
                    same("text", rows.getString(4), null);
                    same("boolean", rows.getBoolean(5), true);
                    same("double", rows.getDouble(6), -0.1);
                }
            }
        }
    }

    static void fetchSize(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        for (int size : new int[] {1, 1000, Integer.MAX_VALUE}) {
            int expected = size == 1 ? 50 : 25000;
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(size);
                long sum = 0;
                try (ResultSet rows = statement.executeQuery("SELECT n FROM generate_series(1, " + expected + ") AS g (n)")) {
                    while (rows.next()) {
                        sum += rows.getLong(1);
                    }
                }
                same("sum in steps of " + size, sum, (long) expected * (expected + 1) / 2);
            }
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void metadata(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM purchases WHERE purchase_id = ?")) {
            same("parameters", statement.getParameterMetaData().getParameterCount(), 1);
            same("parameter", statement.getParameterMetaData().getParameterType(1), Types.BIGINT);
            ResultSetMetaData columns = statement.getMetaData();
            String[] names = {"purchase_id", "household_id", "department", "amount", "bought_at"};
            int[] types = {Types.BIGINT, Types.BIGINT, Types.VARCHAR, Types.NUMERIC, Types.TIMESTAMP};
            same("columns", columns.getColumnCount(), names.length);
            for (int i = 0; i < names.length; i++) {
                same("name", columns.getColumnLabel(i + 1), names[i]);
                same(names[i], columns.getColumnType(i + 1), types[i]);
            }
            same("precision", columns.getPrecision(4), 10);
            same("scale", columns.getScale(4), 2);
        }
    }

    static void transactions(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE jdbc_made (n integer, word text)");
        }
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO jdbc_made VALUES (?, ?)")) {
            for (int n = 0; n < 10; n++) {
                insert.setInt(1, n);
                insert.setString(2, "word " + n);
                insert.addBatch();
            }
            same("batch", insert.executeBatch().length, 10);
        }
        same("inside", count(connection, "jdbc_made"), 10L);
        connection.rollback();
        connection.setAutoCommit(true);
        try {
            count(connection, "jdbc_made");
            throw new AssertionError("the rolled back table is there");
        } catch (SQLException error) {
            same("SQLSTATE", error.getSQLState(), "42P01");
        }
    }

    static long count(Connection connection, String table) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SELECT count(*) FROM " + table)) {
            rows.next();
            return rows.getLong(1);
        }
    }

    static void errors(Connection connection) throws SQLException {
        String[][] wrong = {{"SELECT nmae FROM households", "42703"}, {"SELECT * FROM missing", "42P01"}, {"SELECT 1 / 0", "22012"}, {"SELEC 1", "42601"}};
        for (String[] one : wrong) {
            try (Statement statement = connection.createStatement()) {
                statement.executeQuery(one[0]);
                throw new AssertionError(one[0] + " succeeded");
            } catch (SQLException error) {
                same(one[0], error.getSQLState(), one[1]);
            }
        }
        same("afterwards", count(connection, "households"), 4L);
    }

    static void timeout(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            // The driver cancels it from another connection after a second.
            statement.setQueryTimeout(1);
            statement.executeQuery("SELECT count(*) FROM generate_series(1, 100000) AS a (x) CROSS JOIN generate_series(1, 100000) AS b (y)"
                    + " WHERE (x * 7 + y * 13) % 1000003 = 5");
            throw new AssertionError("was not cancelled");
        } catch (SQLException error) {
            same("SQLSTATE", error.getSQLState(), "57014");
        }
    }

    static void same(String what, Object got, Object want) {
        if (got == null ? want != null : !got.equals(want)) {
            throw new AssertionError(what + ": got " + got + ", expected " + want);
        }
    }
}
