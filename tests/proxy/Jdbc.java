import java.io.StringWriter;
import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

/** PostgreSQL's JDBC driver against one URL: prints, line by line, what it finds. Arguments: URL, "through" or "plain". */
public class Jdbc {
    static void rows(String what, ResultSet rows, String... columns) throws SQLException {
        List<String> lines = new ArrayList<>();
        while (rows.next()) {
            StringBuilder line = new StringBuilder(what);
            for (String column : columns) line.append('|').append(rows.getString(column));
            lines.add(line.toString());
        }
        Collections.sort(lines);
        lines.forEach(System.out::println);
    }

    static void described(String what, ResultSetMetaData m) throws SQLException {
        for (int i = 1; i <= m.getColumnCount(); i++)
            System.out.println(what + "|" + m.getColumnLabel(i) + "|" + m.getColumnTypeName(i) + "|" + m.getColumnType(i) + "|"
                + m.getPrecision(i) + "|" + m.getScale(i) + "|" + m.isNullable(i) + "|" + m.isAutoIncrement(i) + "|" + m.getTableName(i)
                + "|" + m.getSchemaName(i) + "|" + ((org.postgresql.PGResultSetMetaData) m).getBaseColumnName(i));
    }

    public static void main(String[] a) throws Exception {
        boolean through = a[1].equals("through");
        try (Connection c = DriverManager.getConnection(a[0])) {
            DatabaseMetaData d = c.getMetaData();
            rows("schema", d.getSchemas(), "TABLE_SCHEM");
            rows("table", d.getTables(null, "public", "%", new String[] {"TABLE", "VIEW", "MATERIALIZED VIEW", "PARTITIONED TABLE"}),
                "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE");
            rows("column", d.getColumns(null, "public", "%", "%"), "TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "TYPE_NAME", "COLUMN_SIZE",
                "DECIMAL_DIGITS", "NULLABLE", "ORDINAL_POSITION", "IS_AUTOINCREMENT", "IS_GENERATEDCOLUMN");
            rows("primary", d.getPrimaryKeys(null, "public", "person"), "COLUMN_NAME", "KEY_SEQ", "PK_NAME");
            rows("imported", d.getImportedKeys(null, "public", "visit"), "PKTABLE_NAME", "PKCOLUMN_NAME", "FKCOLUMN_NAME", "DELETE_RULE");
            rows("exported", d.getExportedKeys(null, "public", "town"), "FKTABLE_NAME", "FKCOLUMN_NAME", "FK_NAME");
            rows("index", d.getIndexInfo(null, "public", "person", false, false), "INDEX_NAME", "COLUMN_NAME", "NON_UNIQUE", "TYPE");
            rows("function", d.getFunctions(null, "public", "%"), "FUNCTION_NAME", "FUNCTION_TYPE");
            rows("parameter", d.getFunctionColumns(null, "public", "plus", "%"), "COLUMN_NAME", "TYPE_NAME", "COLUMN_TYPE");
            rows("procedure", d.getProcedures(null, "public", "%"), "PROCEDURE_NAME");
            rows("udt", d.getUDTs(null, "public", "%", null), "TYPE_NAME", "DATA_TYPE", "BASE_TYPE");
            rows("best", d.getBestRowIdentifier(null, "public", "person", DatabaseMetaData.bestRowSession, false), "COLUMN_NAME", "TYPE_NAME");
            System.out.println("types|" + count(d.getTypeInfo()) + "|" + d.getMaxColumnNameLength() + "|" + d.getSQLKeywords().length());
            d.getTablePrivileges(null, "public", "person").close();
            d.getColumnPrivileges(null, "public", "person", "%").close();
            try (PreparedStatement s = c.prepareStatement("SELECT * FROM person WHERE id <= ? AND town = ANY (?) ORDER BY id")) {
                for (int turn = 0; turn < 7; turn++) { // a server-side statement from the fifth on, in binary
                    s.setInt(1, 20);
                    s.setArray(2, c.createArrayOf("int4", new Integer[] {1, 2}));
                    ResultSet r = s.executeQuery();
                    if (turn == 0) described("result", r.getMetaData());
                    rows("kept" + turn, r, "id", "mood", "score", "tag", "words", "at", "twin", "span", "town");
                }
            }
            try (Statement s = c.createStatement()) {
                c.setAutoCommit(false);
                s.setFetchSize(7);
                int n = 0, raw = 0;
                try (ResultSet r = s.executeQuery("SELECT name, mail FROM person")) {
                    while (r.next()) { n++; if (r.getString(1).contains("Secret") || r.getString(2).contains("Secret")) raw++; }
                }
                System.out.println("fetched|" + n + "|" + (through ? raw == 0 : raw == n));
                Savepoint point = c.setSavepoint();
                try { s.executeQuery("SELECT nothing FROM person"); } catch (SQLException e) { System.out.println("state|" + e.getSQLState()); }
                c.rollback(point);
                c.commit();
                c.setAutoCommit(true);
                c.setReadOnly(true);
                c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
                c.setSchema("public");
                System.out.println("session|" + c.getSchema() + "|" + c.isReadOnly() + "|" + c.getTransactionIsolation() + "|" + c.isValid(5));
                s.setQueryTimeout(1);
                try { s.executeQuery("SELECT count(*) FROM visit a, visit b, visit c, visit d, visit e"); } catch (SQLException e) {
                    System.out.println("cancelled|" + e.getSQLState());
                }
            }
            StringWriter out = new StringWriter();
            CopyManager copies = c.unwrap(PGConnection.class).getCopyAPI();
            System.out.println("copied|" + copies.copyOut("COPY (SELECT id, tag FROM person ORDER BY id) TO STDOUT", out) + "|" + out.toString().hashCode());
            if (through) {
                c.setReadOnly(false);
                try (Statement s = c.createStatement()) {
                    s.addBatch("DELETE FROM person");
                    try { s.executeBatch(); } catch (BatchUpdateException e) { System.out.println("refused " + e.getSQLState()); }
                    try { s.executeQuery("SELECT name::int FROM person"); } catch (SQLException e) {
                        System.out.println("refused " + e.getSQLState() + " " + e.getMessage().contains("Secret"));
                    }
                }
            }
        }
    }

    static int count(ResultSet rows) throws SQLException {
        int n = 0;
        while (rows.next()) n++;
        return n;
    }
}
