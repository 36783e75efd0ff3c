import java.security.*;
import java.util.*;

/** The token as a provider, and the checks that every program of the suite shares. */
final class Token {
    static final Provider P = Security.getProvider("SunPKCS11").configure(System.getProperty("config"));
    static final char[] PIN = System.getenv("COFFER_PIN").toCharArray();

    private Token() {}

    /** Logs in, as SunPKCS11 does it: by loading the key store. */
    static KeyStore login() throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS11", P);
        store.load(null, PIN);
        return store;
    }

    static KeyPair rsa(int bits) throws Exception {
        KeyPairGenerator g = KeyPairGenerator.getInstance("RSA", P);
        g.initialize(bits);
        return g.generateKeyPair();
    }

    static KeyPair ec(String curve) throws Exception {
        return ec(curve, P);
    }

    static KeyPair ec(String curve, Provider by) throws Exception {
        KeyPairGenerator g = KeyPairGenerator.getInstance("EC", by);
        g.initialize(new java.security.spec.ECGenParameterSpec(curve));
        return g.generateKeyPair();
    }

    static byte[] bytes(int n, long seed) {
        byte[] b = new byte[n];
        new Random(seed).nextBytes(b);
        return b;
    }

    static void same(String what, byte[] got, byte[] want) {
        if (!Arrays.equals(got, want)) {
            HexFormat hex = HexFormat.of();
            throw new AssertionError(what + ": got " + (got == null ? "null" : hex.formatHex(got)) + ", want " + hex.formatHex(want));
        }
    }

    static void holds(String what, boolean ok) {
        if (!ok) throw new AssertionError(what);
    }

    /** What a case does; its failure names the case. */
    interface Body {
        void run() throws Exception;
    }

    private static int failed;

    static void check(String name, Body body) {
        try {
            body.run();
            System.out.println("ok " + name);
        } catch (Throwable e) {
            failed++;
            System.out.println("FAIL " + name);
            e.printStackTrace(System.out);
        }
    }

    /** Ends without C_Finalize, as every Java program does. */
    static void exit() {
        System.exit(failed == 0 ? 0 : 1);
    }
}
