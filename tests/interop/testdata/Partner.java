import java.io.*;
import java.security.*;
import java.security.spec.*;
import java.util.*;
import javax.crypto.*;
import javax.crypto.spec.*;

/** Does what each line of the input asks for, with the platform's own providers. */
class Partner {
    static final HexFormat HEX = HexFormat.of();

    static byte[] b(String s) { return HEX.parseHex(s); }

    static PrivateKey priv(String alg, String pkcs8) throws Exception {
        return KeyFactory.getInstance(alg).generatePrivate(new PKCS8EncodedKeySpec(b(pkcs8)));
    }

    static PublicKey pub(String alg, String spki) throws Exception {
        return KeyFactory.getInstance(alg).generatePublic(new X509EncodedKeySpec(b(spki)));
    }

    /** A signature by its name, or RSASSA-PSS:hash:mask hash:bytes of salt. */
    static Signature signature(String name) throws Exception {
        String[] p = name.split(":");
        Signature s = Signature.getInstance(p[0]);
        if (p.length > 1)
            s.setParameter(new PSSParameterSpec(p[1], "MGF1", new MGF1ParameterSpec(p[2]), Integer.parseInt(p[3]), 1));
        return s;
    }

    /** A parameter by its kind: gcm:iv, iv:iv, oaep:hash:mask hash:label, or - for none. */
    static AlgorithmParameterSpec param(String s) {
        String[] p = s.split(":", -1);
        switch (p[0]) {
            case "gcm": return new GCMParameterSpec(128, b(p[1]));
            case "iv": return new IvParameterSpec(b(p[1]));
            case "chacha": return new ChaCha20ParameterSpec(b(p[1]), Integer.parseInt(p[2]));
            case "oaep": return new OAEPParameterSpec(p[1], "MGF1", new MGF1ParameterSpec(p[2]), new PSource.PSpecified(b(p[3])));
            default: return null;
        }
    }

    static byte[] crypt(int mode, String[] a) throws Exception {
        Key key;
        if (a[2].equals("RSA"))
            key = mode == Cipher.ENCRYPT_MODE ? pub("RSA", a[3]) : priv("RSA", a[3]);
        else
            key = new SecretKeySpec(b(a[3]), a[2]);
        Cipher c = Cipher.getInstance(a[1]);
        c.init(mode, key, param(a[4]));
        if (!a[5].isEmpty()) c.updateAAD(b(a[5]));
        return c.doFinal(b(a[6]));
    }

    static byte[] run(String[] a) throws Exception {
        switch (a[0]) {
            case "sign": {
                Signature s = signature(a[1]);
                s.initSign(priv(a[2], a[3]));
                s.update(b(a[4]));
                return s.sign();
            }
            case "verify": {
                Signature s = signature(a[1]);
                s.initVerify(pub(a[2], a[3]));
                s.update(b(a[4]));
                if (!s.verify(b(a[5]))) throw new SignatureException("the signature is wrong");
                return new byte[0];
            }
            case "encrypt": return crypt(Cipher.ENCRYPT_MODE, a);
            case "decrypt": return crypt(Cipher.DECRYPT_MODE, a);
            case "wrap": {
                Cipher c = Cipher.getInstance(a[1]);
                c.init(Cipher.WRAP_MODE, new SecretKeySpec(b(a[2]), "AES"));
                return c.wrap(new SecretKeySpec(b(a[3]), "AES"));
            }
            case "unwrap": {
                Cipher c = Cipher.getInstance(a[1]);
                c.init(Cipher.UNWRAP_MODE, new SecretKeySpec(b(a[2]), "AES"));
                return c.unwrap(b(a[3]), "AES", Cipher.SECRET_KEY).getEncoded();
            }
            case "mac": {
                Mac m = Mac.getInstance(a[1]);
                m.init(new SecretKeySpec(b(a[2]), a[1]));
                return m.doFinal(b(a[3]));
            }
            case "digest": return MessageDigest.getInstance(a[1]).digest(b(a[2]));
            case "agree": {
                KeyAgreement k = KeyAgreement.getInstance(a[1]);
                k.init(priv(a[2], a[3]));
                k.doPhase(pub(a[2], a[4]), true);
                return k.generateSecret();
            }
            case "pair": {
                KeyPairGenerator g = KeyPairGenerator.getInstance(a[1]);
                if (!a[2].isEmpty()) g.initialize(new ECGenParameterSpec(a[2]));
                KeyPair k = g.generateKeyPair();
                byte[] spki = k.getPublic().getEncoded(), pkcs8 = k.getPrivate().getEncoded();
                return b(String.format("%04x", spki.length) + HEX.formatHex(spki) + HEX.formatHex(pkcs8));
            }
            case "pbkdf2": return SecretKeyFactory.getInstance(a[1]).generateSecret(
                new PBEKeySpec(a[2].toCharArray(), b(a[3]), Integer.parseInt(a[4]), 8 * Integer.parseInt(a[5]))).getEncoded();
            default: throw new IllegalArgumentException(a[0]);
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            try {
                System.out.println(HEX.formatHex(run(line.split("\t", -1))));
            } catch (Exception e) {
                System.out.println("!" + e.toString().replace('\n', ' '));
            }
            System.out.flush();
        }
    }
}
