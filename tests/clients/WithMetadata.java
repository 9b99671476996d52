// DatabaseMetaData of pgjdbc: what DBeaver, Tableau and other tools on JDBC ask about tables.
//
// usage: java -cp postgresql.jar WithMetadata.java PORT

import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

public class WithMetadata {
    static void same(String what, Object got, Object want) {
        if (!got.equals(want)) {
            throw new AssertionError(what + ": got " + got + ", expected " + want);
        }
    }

    static List<String> list(ResultSet rows, String... columns) throws Exception {
        List<String> found = new ArrayList<>();
        while (rows.next()) {
            List<String> row = new ArrayList<>();
            for (String column : columns) {
                row.add(rows.getString(column));
            }
            found.add(String.join(" ", row));
        }
        return found;
    }

    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:postgresql://127.0.0.1:" + arguments[0] + "/audience?user=postgres";
        try (Connection connection = DriverManager.getConnection(url); Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE described (b text, a bigint, n numeric(8,2) NOT NULL, PRIMARY KEY (a, b))");
            statement.execute("COMMENT ON TABLE described IS 'a table'");
            DatabaseMetaData data = connection.getMetaData();
            same("table", list(data.getTables(null, "public", "descr%", new String[] {"TABLE"}), "TABLE_NAME", "TABLE_TYPE", "REMARKS"),
                List.of("described TABLE a table"));
            same("columns", list(data.getColumns(null, "public", "described", "%"), "COLUMN_NAME", "TYPE_NAME", "COLUMN_SIZE", "IS_NULLABLE"),
                List.of("b text 2147483647 NO", "a int8 19 NO", "n numeric 8 NO"));
            same("key", list(data.getPrimaryKeys(null, "public", "described"), "COLUMN_NAME", "KEY_SEQ", "PK_NAME"),
                List.of("a 1 described_pkey", "b 2 described_pkey"));
            same("index", list(data.getIndexInfo(null, "public", "described", true, false), "INDEX_NAME", "COLUMN_NAME", "ORDINAL_POSITION"),
                List.of("described_pkey a 1", "described_pkey b 2"));
            same("schema", list(data.getSchemas(null, "segm%"), "TABLE_SCHEM"), List.of("segments"));
            same("function", list(data.getFunctions(null, null, "upper"), "FUNCTION_NAME"), List.of("upper"));
            if (list(data.getTypeInfo(), "TYPE_NAME").isEmpty()) {
                throw new AssertionError("no types");
            }
            statement.execute("DROP TABLE described");
        }
        System.out.println("pgjdbc describes tables, columns, keys, indexes, functions and types");
    }
}
