import java.nio.file.*;
import java.security.*;
import java.security.spec.ECGenParameterSpec;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;

/**
 * 200 threads sign with the token until the file named by the first argument is there, each at
 * least ROUNDS times, and have every signature verified by the JDK's own provider.
 */
final class Load {
    private static final int THREADS = 200, ROUNDS = 20;

    private static Provider token;
    private static final AtomicLong signatures = new AtomicLong();

    public static void main(String[] args) throws Exception {
        Path stop = Path.of(args[0]);
        char[] pin = args[1].toCharArray();
        token = Security.getProvider("SunPKCS11").configure("coffer.cfg");
        KeyStore store = KeyStore.getInstance("PKCS11", token);
        store.load(null, pin);

        KeyPairGenerator ec = KeyPairGenerator.getInstance("EC", token), rsa = KeyPairGenerator.getInstance("RSA", token);
        ec.initialize(new ECGenParameterSpec("secp256r1"));
        rsa.initialize(2048);
        KeyPair[] pairs = {ec.generateKeyPair(), ec.generateKeyPair(), ec.generateKeyPair(), rsa.generateKeyPair()};

        CountDownLatch ready = new CountDownLatch(THREADS);
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        List<Future<?>> all = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            int n = i;
            all.add(threads.submit(() -> {
                ready.countDown();
                ready.await();
                for (int round = 0; round < ROUNDS || !Files.exists(stop); round++) {
                    KeyPair pair = pairs[(n + round) % pairs.length];
                    sign(pair, "message " + round + " of " + n);
                    if (round >= ROUNDS) Thread.sleep(20); // no longer for the number
                }
                return null;
            }));
        }
        ready.await();
        System.out.println("signing");
        for (Future<?> f : all) f.get(2, TimeUnit.MINUTES);
        threads.shutdown();

        store.load(null, pin);
        System.out.println("aliases " + new TreeSet<>(Collections.list(store.aliases())));
        System.out.println("signatures " + signatures);
    }

    private static void sign(KeyPair pair, String message) throws Exception {
        boolean ec = pair.getPublic().getAlgorithm().equals("EC");
        String algorithm = ec ? "SHA256withECDSA" : "SHA256withRSA";
        Signature s = Signature.getInstance(algorithm, token), v = Signature.getInstance(algorithm, ec ? "SunEC" : "SunRsaSign");
        s.initSign(pair.getPrivate());
        s.update(message.getBytes());
        byte[] signature = s.sign();
        v.initVerify(pair.getPublic());
        v.update(message.getBytes());
        if (!v.verify(signature)) throw new AssertionError(algorithm + ": a wrong signature");
        signatures.incrementAndGet();
    }
}
