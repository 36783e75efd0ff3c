import java.security.*;

/** Digests, and copies of those that are under way, for which SunPKCS11 saves the state of an operation. */
final class Digests {
    private static final String[] HASHES = {
        "SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512", "SHA-512/224", "SHA-512/256", "SHA3-224", "SHA3-256", "SHA3-384", "SHA3-512",
    };

    public static void main(String[] args) throws Exception {
        copies("nobody logged in");
        Token.login();
        copies("the user logged in");
        Token.exit();
    }

    private static void copies(String who) {
        for (String hash : HASHES) {
            Token.check(hash + ", " + who, () -> {
                // SunPKCS11 collects up to 4096 bytes before it calls the token.
                for (int n : new int[] {0, 1, 100, 4095, 4096, 5000, 20000}) {
                    byte[] head = Token.bytes(n, n), a = Token.bytes(6000, 1), b = Token.bytes(7000, 2);
                    MessageDigest first = MessageDigest.getInstance(hash, Token.P), want = MessageDigest.getInstance(hash, "SUN");
                    first.update(head);
                    MessageDigest second = (MessageDigest) first.clone();
                    first.update(a);
                    MessageDigest third = (MessageDigest) first.clone();
                    second.update(b);
                    want.update(head);
                    Token.same(n + " and b", second.digest(), want.digest(b));
                    want.update(head);
                    Token.same(n + " and a", first.digest(), want.digest(a));
                    want.update(head);
                    want.update(a);
                    Token.same(n + ", a and b", third.digest(b), want.digest(b));
                    second.update(a); // each is good for another digest
                    Token.same("again", second.digest(), want.digest(a));
                }
            });
        }
    }
}
