import java.security.*;
import java.security.spec.*;

/** Signatures made by the token and verified by Java's own providers, and the reverse. */
final class Signatures {
    private static final String[] HASHES = {"SHA1", "SHA224", "SHA256", "SHA384", "SHA512"};
    private static final byte[] MESSAGE = Token.bytes(1000, 1);

    public static void main(String[] args) throws Exception {
        Token.login();
        rsa();
        ecdsa();
        Token.exit();
    }

    private static void rsa() throws Exception {
        KeyPairGenerator software = KeyPairGenerator.getInstance("RSA", "SunRsaSign");
        software.initialize(2048);
        KeyPair ours = Token.rsa(2048), theirs = software.generateKeyPair();
        for (String hash : HASHES) {
            both(hash + "withRSA", hash + "withRSA", "SunRsaSign", null, ours, theirs);
            String name = hash.replace("SHA", "SHA-");
            PSSParameterSpec pss = new PSSParameterSpec(name, "MGF1", new MGF1ParameterSpec(name), hashLength(name), 1);
            both("RSASSA-PSS", "RSASSA-PSS", "SunRsaSign", pss, ours, theirs);
            both(hash + "withRSASSA-PSS", "RSASSA-PSS", "SunRsaSign", pss, ours, theirs);
        }
        PSSParameterSpec saltless = new PSSParameterSpec("SHA-256", "MGF1", MGF1ParameterSpec.SHA256, 0, 1);
        both("RSASSA-PSS", "RSASSA-PSS", "SunRsaSign", saltless, ours, theirs);
    }

    private static int hashLength(String name) throws Exception {
        return MessageDigest.getInstance(name).getDigestLength();
    }

    private static void ecdsa() throws Exception {
        for (String curve : new String[] {"secp256r1", "secp384r1", "secp521r1"}) {
            KeyPair ours = Token.ec(curve), theirs = Token.ec(curve, Security.getProvider("SunEC"));
            for (String hash : HASHES) {
                for (String alg : new String[] {hash + "withECDSA", hash + "withECDSAinP1363Format"}) {
                    both(alg, alg, "SunEC", null, ours, theirs);
                }
            }
            for (String alg : new String[] {"NONEwithECDSA", "NONEwithECDSAinP1363Format"}) {
                byte[] hash = Token.bytes(32, 2);
                Token.check(alg + " " + curve, () -> {
                    verified("token to SunEC", alg, "SunEC", null, ours.getPublic(), hash, sign(alg, Token.P, null, ours.getPrivate(), hash));
                    verified("token to token", alg, Token.P.getName(), null, ours.getPublic(), hash, sign(alg, Token.P, null, ours.getPrivate(), hash));
                });
            }
        }
        // SunPKCS11 trims leading zeros of r and s before it asks the token: with
        // P-521 the signature is shorter than 132 bytes one time in four.
        KeyPair ours = Token.ec("secp521r1");
        Token.check("P-521 trimmed", () -> {
            for (int i = 0; i < 60; i++) {
                byte[] m = Token.bytes(100, i), s = sign("SHA512withECDSA", Token.P, null, ours.getPrivate(), m);
                verified("by SunEC", "SHA512withECDSA", "SunEC", null, ours.getPublic(), m, s);
                verified("by the token", "SHA512withECDSA", Token.P.getName(), null, ours.getPublic(), m, s);
            }
        });
    }

    /** Token to software, software to token, and that neither takes a changed message. */
    private static void both(String alg, String softAlg, String soft, AlgorithmParameterSpec spec, KeyPair ours, KeyPair theirs) {
        AlgorithmParameterSpec hashSpec = alg.equals(softAlg) ? spec : null;
        Token.check(alg + " " + ours.getPublic().getAlgorithm() + " " + (spec == null ? "" : spec), () -> {
            Provider software = Security.getProvider(soft);
            byte[] s = sign(alg, Token.P, spec, ours.getPrivate(), MESSAGE);
            verified("token to software", softAlg, soft, spec, ours.getPublic(), MESSAGE, s);
            verified("software to token", alg, Token.P.getName(), spec, theirs.getPublic(), MESSAGE, sign(softAlg, software, spec, theirs.getPrivate(), MESSAGE));
            // A software key used on the token is copied into it by C_CreateObject.
            verified("copied key", softAlg, soft, spec, theirs.getPublic(), MESSAGE, sign(alg, Token.P, spec, theirs.getPrivate(), MESSAGE));
        });
    }

    private static byte[] sign(String alg, Provider by, AlgorithmParameterSpec spec, PrivateKey key, byte[] m) throws Exception {
        Signature s = Signature.getInstance(alg, by);
        if (spec != null) s.setParameter(spec);
        s.initSign(key);
        s.update(m, 0, m.length / 2);
        s.update(java.nio.ByteBuffer.wrap(m, m.length / 2, m.length - m.length / 2));
        return s.sign();
    }

    private static void verified(String what, String alg, String by, AlgorithmParameterSpec spec, PublicKey key, byte[] m, byte[] signature) throws Exception {
        Signature s = Signature.getInstance(alg, by.equals(Token.P.getName()) ? Token.P : Security.getProvider(by));
        if (spec != null) s.setParameter(spec);
        s.initVerify(key);
        s.update(m);
        Token.holds(what, s.verify(signature));
        byte[] changed = m.clone();
        changed[0] ^= 1;
        s.update(changed);
        Token.holds(what + " takes a changed message", !s.verify(signature));
    }
}
