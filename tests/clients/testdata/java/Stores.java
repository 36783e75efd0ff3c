import java.security.*;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.security.spec.*;
import java.util.*;
import javax.crypto.*;
import javax.crypto.spec.*;

/** The token as a key store: entries set, found, used, seen by a new load and deleted. */
final class Stores {
    private static final Provider SOFT = Security.getProvider("SunEC");

    public static void main(String[] args) throws Exception {
        Token.check("a wrong PIN is refused", () -> {
            try {
                KeyStore.getInstance("PKCS11", Token.P).load(null, "wrong".toCharArray());
                throw new AssertionError("loaded");
            } catch (java.io.IOException e) {
                Token.holds(e.toString(), e.getCause() instanceof UnrecoverableKeyException || e.getCause() instanceof javax.security.auth.login.FailedLoginException);
            }
        });
        KeyStore store = Token.login();
        Token.check("a new token is empty", () -> Token.holds("aliases", !store.aliases().hasMoreElements()));

        KeyPair ca = Token.ec("secp256r1", SOFT);
        X509Certificate root = Certificates.issue("ca", ca.getPublic(), "ca", ca.getPrivate(), SOFT);
        KeyPair inside = Token.ec("secp256r1"), outside = Token.ec("secp384r1", SOFT), rsa = Token.rsa(2048);
        KeyPairGenerator g = KeyPairGenerator.getInstance("RSA", "SunRsaSign");
        g.initialize(2048);
        entry(store, "ec made inside", inside, chain("inside", inside, root, ca), "SHA256withECDSA");
        entry(store, "ec imported", outside, chain("outside", outside, root, ca), "SHA384withECDSA");
        entry(store, "rsa made inside", rsa, chain("rsa inside", rsa, root, ca), "SHA256withRSA");
        KeyPair imported = g.generateKeyPair();
        entry(store, "rsa imported", imported, chain("rsa outside", imported, root, ca), "SHA256withRSA");
        secret(store);
        signedInside(store, inside);
        Token.check("deleted", () -> {
            List<String> names = Collections.list(store.aliases());
            Token.holds(names.toString(), names.size() == 5);
            for (String name : names) {
                store.deleteEntry(name);
                Token.holds(name, !store.containsAlias(name) && !reloaded().containsAlias(name));
            }
            Token.holds("empty", store.size() == 0 && reloaded().size() == 0);
        });
        Token.exit();
    }

    private static Certificate[] chain(String cn, KeyPair pair, X509Certificate root, KeyPair ca) throws Exception {
        return new Certificate[] {Certificates.issue(cn, pair.getPublic(), "ca", ca.getPrivate(), SOFT), root};
    }

    /** A store as a new program finds it. */
    private static KeyStore reloaded() throws Exception {
        KeyStore s = KeyStore.getInstance("PKCS11", Token.P);
        s.load(null, Token.PIN);
        return s;
    }

    private static void entry(KeyStore store, String alias, KeyPair pair, Certificate[] chain, String alg) {
        Token.check(alias, () -> {
            store.setKeyEntry(alias, pair.getPrivate(), null, chain);
            store.store(null);
            for (KeyStore s : new KeyStore[] {store, reloaded()}) {
                Token.holds("entry", s.isKeyEntry(alias) && s.containsAlias(alias));
                Token.same("certificate", s.getCertificate(alias).getEncoded(), chain[0].getEncoded());
                Certificate[] got = s.getCertificateChain(alias);
                Token.holds("chain of " + got.length, got.length == chain.length);
                for (int i = 0; i < got.length; i++) Token.same("chain " + i, got[i].getEncoded(), chain[i].getEncoded());
                Token.holds("alias", alias.equals(s.getCertificateAlias(chain[0])));
                PrivateKey key = (PrivateKey) s.getKey(alias, null);
                Token.holds("shows its value", key.getEncoded() == null);
                Signature sign = Signature.getInstance(alg, Token.P), verify = Signature.getInstance(alg);
                sign.initSign(key);
                sign.update(chain[0].getEncoded());
                verify.initVerify(chain[0]);
                verify.update(chain[0].getEncoded());
                Token.holds("signature", verify.verify(sign.sign()));
            }
        });
    }

    private static void secret(KeyStore store) {
        Token.check("secret key", () -> {
            byte[] raw = Token.bytes(32, 1), plain = Token.bytes(64, 2);
            store.setEntry("aes", new KeyStore.SecretKeyEntry(new SecretKeySpec(raw, "AES")), null);
            Cipher ours = Cipher.getInstance("AES/CBC/NoPadding", Token.P), theirs = Cipher.getInstance("AES/CBC/NoPadding", "SunJCE");
            IvParameterSpec iv = new IvParameterSpec(new byte[16]);
            ours.init(Cipher.ENCRYPT_MODE, (SecretKey) reloaded().getKey("aes", null), iv);
            theirs.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(raw, "AES"), iv);
            Token.same("ciphertext", ours.doFinal(plain), theirs.doFinal(plain));
        });
    }

    /** A certificate that a key of the token signs; keytool -genkeypair does the same. */
    private static void signedInside(KeyStore store, KeyPair inside) {
        Token.check("self-signed by the token", () -> {
            X509Certificate self = Certificates.issue("self", inside.getPublic(), "self", (PrivateKey) store.getKey("ec made inside", null), Token.P);
            self.verify(inside.getPublic(), SOFT);
            store.setKeyEntry("ec made inside", store.getKey("ec made inside", null), null, new Certificate[] {self});
            Token.same("replaced", reloaded().getCertificate("ec made inside").getEncoded(), self.getEncoded());
        });
    }
}
