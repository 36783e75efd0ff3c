import java.security.*;
import java.util.*;
import javax.crypto.*;
import javax.crypto.spec.*;

/** Agreement, MACs, digests, random numbers and secret keys. */
final class Secrets {
    public static void main(String[] args) throws Exception {
        Token.login();
        for (String curve : new String[] {"secp256r1", "secp384r1", "secp521r1"}) {
            Token.check("ECDH " + curve, () -> agreement(curve));
        }
        for (String hash : new String[] {"SHA1", "SHA224", "SHA256", "SHA384", "SHA512"}) {
            Token.check("Hmac" + hash, () -> mac("Hmac" + hash));
        }
        for (String hash : new String[] {"SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512", "SHA3-256", "SHA3-512"}) {
            Token.check(hash, () -> digest(hash));
        }
        Token.check("SecureRandom", Secrets::random);
        for (int bits : new int[] {128, 192, 256}) {
            Token.check("KeyGenerator AES " + bits, () -> generated(bits));
        }
        Token.check("SecretKeyFactory", Secrets::factory);
        Token.exit();
    }

    private static void agreement(String curve) throws Exception {
        Provider software = Security.getProvider("SunEC");
        KeyPair ours = Token.ec(curve), theirs = Token.ec(curve, software);
        byte[] got = agree(Token.P, ours, theirs), want = agree(software, theirs, ours);
        Token.same("token and software", got, want);
        KeyAgreement a = KeyAgreement.getInstance("ECDH", Token.P);
        a.init(ours.getPrivate());
        a.doPhase(theirs.getPublic(), true);
        Token.same("as a key", a.generateSecret("TlsPremasterSecret").getEncoded(), want);
        Token.same("of copied keys", agree(Token.P, theirs, ours), want);
    }

    private static byte[] agree(Provider by, KeyPair mine, KeyPair peer) throws Exception {
        KeyAgreement a = KeyAgreement.getInstance("ECDH", by);
        a.init(mine.getPrivate());
        a.doPhase(peer.getPublic(), true);
        return a.generateSecret();
    }

    private static void mac(String name) throws Exception {
        for (int n : new int[] {1, 20, 64, 200}) {
            SecretKey key = new SecretKeySpec(Token.bytes(n, n), name);
            Mac ours = Mac.getInstance(name, Token.P), theirs = Mac.getInstance(name, "SunJCE");
            ours.init(key);
            theirs.init(key);
            for (int round = 0; round < 3; round++) {
                for (int size : new int[] {0, 1, 127, 5000}) {
                    ours.update(Token.bytes(size, size));
                    theirs.update(Token.bytes(size, size));
                }
                Token.same(name + " key of " + n, ours.doFinal(), theirs.doFinal());
            }
            Token.same("nothing", ours.doFinal(), theirs.doFinal());
        }
        SecretKey generated = KeyGenerator.getInstance(name, Token.P).generateKey();
        Mac ours = Mac.getInstance(name, Token.P), theirs = Mac.getInstance(name, "SunJCE");
        ours.init(generated);
        theirs.init(new SecretKeySpec(generated.getEncoded(), name));
        Token.same("generated key", ours.doFinal(new byte[100]), theirs.doFinal(new byte[100]));
    }

    /** SunPKCS11 clones by C_GetOperationState, and its callers hash anew where there is none. */
    private static void digest(String name) throws Exception {
        MessageDigest ours = MessageDigest.getInstance(name, Token.P), theirs = MessageDigest.getInstance(name, "SUN");
        byte[] data = Token.bytes(70000, 9);
        Token.same("whole", ours.digest(data), theirs.digest(data));
        Token.same("nothing", ours.digest(), theirs.digest());
        ours.update(data, 0, 3);
        ours.update(java.nio.ByteBuffer.allocateDirect(5000));
        theirs.update(data, 0, 3);
        theirs.update(new byte[5000]);
        try {
            MessageDigest fork = (MessageDigest) ours.clone(), softFork = (MessageDigest) theirs.clone();
            fork.update(data);
            softFork.update(data);
            Token.same("cloned", fork.digest(), softFork.digest());
        } catch (CloneNotSupportedException e) {
            Token.holds(e.toString(), e.getCause().getMessage().equals("CKR_FUNCTION_NOT_SUPPORTED"));
        }
        ours.update(data, 10, 10);
        theirs.update(data, 10, 10);
        Token.same("the original", ours.digest(), theirs.digest());
    }

    private static void random() throws Exception {
        SecureRandom r = SecureRandom.getInstance("PKCS11", Token.P);
        Set<String> seen = new HashSet<>();
        for (int i = 0; i < 1000; i++) {
            byte[] b = new byte[16];
            r.nextBytes(b);
            Token.holds("repeats", seen.add(Arrays.toString(b)));
        }
        r.nextBytes(new byte[100000]);
        r.setSeed(1);
        r.setSeed(new byte[1000]);
        Token.holds("seed", r.generateSeed(20).length == 20);
    }

    private static void generated(int bits) throws Exception {
        KeyGenerator g = KeyGenerator.getInstance("AES", Token.P);
        g.init(bits);
        byte[] a = g.generateKey().getEncoded(), b = g.generateKey().getEncoded();
        Token.holds("size", a.length == bits / 8);
        Token.holds("the same twice", !Arrays.equals(a, b));
    }

    private static void factory() throws Exception {
        SecretKeyFactory f = SecretKeyFactory.getInstance("AES", Token.P);
        byte[] raw = Token.bytes(32, 10);
        SecretKey inside = f.generateSecret(new SecretKeySpec(raw, "AES"));
        Token.same("value", inside.getEncoded(), raw);
        SecretKeySpec out = (SecretKeySpec) f.getKeySpec(inside, SecretKeySpec.class);
        Token.same("spec", out.getEncoded(), raw);
        Token.same("translated", f.translateKey(new SecretKeySpec(raw, "AES")).getEncoded(), raw);
    }
}
