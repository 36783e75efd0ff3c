import java.io.*;
import java.math.BigInteger;
import java.security.*;
import java.security.cert.*;

/** X.509 certificates written by hand: Java has no public way to make one. */
final class Certificates {
    private static final byte[] SHA256_WITH_ECDSA = {0x06, 0x08, 0x2a, (byte) 0x86, 0x48, (byte) 0xce, 0x3d, 4, 3, 2};
    private static final byte[] COMMON_NAME = {0x06, 0x03, 0x55, 0x04, 0x03};

    private Certificates() {}

    /** A certificate of subject's key, signed by issuer's EC key, which may lie in the token. */
    static X509Certificate issue(String subject, PublicKey key, String issuer, PrivateKey by, Provider signer) throws Exception {
        byte[] algorithm = sequence(SHA256_WITH_ECDSA);
        byte[] serial = tagged(0x02, new BigInteger(62, new SecureRandom()).add(BigInteger.ONE).toByteArray());
        byte[] validity = sequence(tagged(0x17, "200101000000Z".getBytes()), tagged(0x17, "491231235959Z".getBytes()));
        byte[] body = sequence(tagged(0xa0, tagged(0x02, new byte[] {2})), serial, algorithm, name(issuer), validity, name(subject), key.getEncoded());
        Signature s = Signature.getInstance("SHA256withECDSA", signer);
        s.initSign(by);
        s.update(body);
        byte[] all = sequence(body, algorithm, tagged(0x03, new byte[1], s.sign()));
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(all));
    }

    private static byte[] name(String cn) {
        return sequence(tagged(0x31, sequence(COMMON_NAME, tagged(0x0c, cn.getBytes()))));
    }

    private static byte[] sequence(byte[]... parts) {
        return tagged(0x30, parts);
    }

    private static byte[] tagged(int tag, byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int n = 0;
        for (byte[] p : parts) n += p.length;
        out.write(tag);
        if (n >= 256) {
            out.write(0x82);
            out.write(n >> 8);
        } else if (n >= 128) {
            out.write(0x81);
        }
        out.write(n);
        for (byte[] p : parts) out.writeBytes(p);
        return out.toByteArray();
    }
}
