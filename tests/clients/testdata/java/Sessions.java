import java.security.*;
import java.util.*;
import javax.crypto.*;
import javax.crypto.spec.*;

/** Thousands of operations open at once, each with a session of its own, and an exit in their middle. */
final class Sessions {
    private static final int OPEN = 3000;

    public static void main(String[] args) throws Exception {
        Token.login();
        KeyPair pair = Token.ec("secp256r1");
        SecretKey aes = new SecretKeySpec(Token.bytes(16, 1), "AES");
        List<Signature> signatures = new ArrayList<>();
        List<Cipher> ciphers = new ArrayList<>();
        Token.check("open", () -> {
            for (int i = 0; i < OPEN; i++) {
                Signature s = Signature.getInstance("SHA256withECDSA", Token.P);
                s.initSign(pair.getPrivate());
                s.update((byte) i);
                signatures.add(s);
                Cipher c = Cipher.getInstance("AES/CTR/NoPadding", Token.P);
                c.init(Cipher.ENCRYPT_MODE, aes, new IvParameterSpec(Token.bytes(16, i)));
                ciphers.add(c);
            }
        });
        Token.check("used in another order", () -> {
            Signature verify = Signature.getInstance("SHA256withECDSA", "SunEC");
            for (int i = 0; i < OPEN; i++) {
                int at = (i * 7919) % OPEN;
                byte[] plain = Token.bytes(100, at);
                Cipher soft = Cipher.getInstance("AES/CTR/NoPadding", "SunJCE");
                soft.init(Cipher.ENCRYPT_MODE, aes, new IvParameterSpec(Token.bytes(16, at)));
                Token.same("cipher " + at, ciphers.get(at).doFinal(plain), soft.doFinal(plain));
                if (at % 10 == 0) {
                    verify.initVerify(pair.getPublic());
                    verify.update((byte) at);
                    Token.holds("signature " + at, verify.verify(signatures.get(at).sign()));
                }
            }
        });
        // Threads that are inside calls when System.exit comes.
        for (int i = 0; i < 8; i++) {
            Thread t = new Thread(() -> {
                try {
                    for (;;) {
                        Signature s = Signature.getInstance("SHA256withECDSA", Token.P);
                        s.initSign(pair.getPrivate());
                        s.sign();
                    }
                } catch (Exception e) {
                    e.printStackTrace(System.out);
                    Runtime.getRuntime().halt(9);
                }
            });
            t.setDaemon(true);
            t.start();
        }
        Thread.sleep(200);
        Token.exit();
    }
}
