import java.security.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import javax.crypto.*;
import javax.crypto.spec.*;

/**
 * The JVM's own use of signals beside the library's runtime: threads with small stacks use the
 * token while the JVM collects, finds null pointers by SIGSEGV, overflows stacks and starts
 * children.
 */
final class Threads {
    private static final int THREADS = 40, ROUNDS = 10;

    int field;

    public static void main(String[] args) throws Exception {
        Token.login();
        KeyPair ec = Token.ec("secp256r1"), rsa = Token.rsa(2048);
        SecretKey aes = new SecretKeySpec(Token.bytes(32, 1), "AES");
        AtomicBoolean done = new AtomicBoolean();
        Thread collector = new Thread(() -> {
            while (!done.get()) System.gc();
        });
        collector.start();
        AtomicInteger nulls = new AtomicInteger(), overflows = new AtomicInteger();
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        List<Future<?>> all = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            int n = i;
            all.add(threads.submit(() -> {
                for (int round = 0; round < ROUNDS; round++) {
                    sign("SHA256withECDSA", ec, n + round);
                    if (round % 4 == 0) sign("SHA256withRSA", rsa, n + round);
                    encrypt(aes, n * 1000 + round);
                    nulls.addAndGet(nulls());
                    if (round == 0) overflows.addAndGet(overflow());
                }
                return null;
            }));
        }
        Token.check("verified results of " + THREADS + " threads", () -> {
            for (Future<?> f : all) f.get(2, TimeUnit.MINUTES);
        });
        Token.check("null checks", () -> Token.holds("" + nulls, nulls.get() == THREADS * ROUNDS * 10));
        Token.check("stack overflows", () -> Token.holds("" + overflows, overflows.get() == THREADS));
        Token.check("children", () -> {
            for (int i = 0; i < 5; i++) {
                Process p = new ProcessBuilder("sh", "-c", "exit 3").start();
                Token.holds("exit", p.waitFor() == 3);
            }
        });
        done.set(true);
        collector.join();
        Token.exit();
    }

    private static void sign(String alg, KeyPair pair, int seed) throws Exception {
        byte[] m = Token.bytes(500, seed);
        Signature s = Signature.getInstance(alg, Token.P), v = Signature.getInstance(alg, alg.endsWith("RSA") ? "SunRsaSign" : "SunEC");
        s.initSign(pair.getPrivate());
        s.update(m);
        byte[] signature = s.sign();
        v.initVerify(pair.getPublic());
        v.update(m);
        Token.holds(alg, v.verify(signature));
    }

    private static void encrypt(SecretKey key, int seed) throws Exception {
        byte[] plain = Token.bytes(3000, seed);
        IvParameterSpec iv = new IvParameterSpec(Token.bytes(16, seed));
        Cipher ours = Cipher.getInstance("AES/CBC/PKCS5Padding", Token.P), theirs = Cipher.getInstance("AES/CBC/PKCS5Padding", "SunJCE");
        ours.init(Cipher.ENCRYPT_MODE, key, iv);
        theirs.init(Cipher.DECRYPT_MODE, key, iv);
        Token.same("AES", theirs.doFinal(ours.doFinal(plain)), plain);
    }

    private static int nulls() {
        int n = 0;
        for (int i = 0; i < 10; i++) {
            try {
                load(null);
            } catch (NullPointerException e) {
                n++;
            }
        }
        return n;
    }

    /** Run with -XX:CompileCommand=exclude,Threads::load, so that each null is found by a fault. */
    static int load(Threads t) {
        return t.field;
    }

    private static int overflow() {
        try {
            return depth(0);
        } catch (StackOverflowError e) {
            return 1;
        }
    }

    private static int depth(int n) {
        return depth(n + 1) + 1;
    }
}
