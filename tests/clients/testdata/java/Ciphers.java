import java.nio.ByteBuffer;
import java.security.*;
import java.security.spec.*;
import java.util.*;
import javax.crypto.*;
import javax.crypto.spec.*;

/** Ciphers of the token beside those of SunJCE, over the same keys. */
final class Ciphers {
    private static final byte[] IV = Token.bytes(16, 3);
    private static final byte[] AAD = Token.bytes(37, 4);

    public static void main(String[] args) throws Exception {
        Token.login();
        for (int bits : new int[] {128, 192, 256}) {
            SecretKey key = new SecretKeySpec(Token.bytes(bits / 8, bits), "AES");
            for (String name : new String[] {"AES/ECB/NoPadding", "AES/ECB/PKCS5Padding", "AES/CBC/NoPadding", "AES/CBC/PKCS5Padding", "AES/CTR/NoPadding", "AES/GCM/NoPadding"}) {
                Token.check(name + " " + bits, () -> sizes(name, key));
            }
        }
        SecretKey key = generated();
        for (String name : new String[] {"AES/CBC/PKCS5Padding", "AES/CTR/NoPadding", "AES/GCM/NoPadding"}) {
            Token.check(name + " 1 MiB", () -> oneWay(name, key, Token.bytes(1 << 20, 5)));
        }
        Token.check("GCM refuses a changed tag", () -> {
            Cipher c = cipher("AES/GCM/NoPadding", Token.P, Cipher.ENCRYPT_MODE, key);
            byte[] sealed = c.doFinal(Token.bytes(100, 6));
            sealed[sealed.length - 1] ^= 1;
            try {
                cipher("AES/GCM/NoPadding", Token.P, Cipher.DECRYPT_MODE, key).doFinal(sealed);
                throw new AssertionError("opened");
            } catch (AEADBadTagException e) {
                // as it should
            }
        });
        Token.check("CBC refuses wrong padding", () -> {
            byte[] b = cipher("AES/CBC/NoPadding", Token.P, Cipher.ENCRYPT_MODE, key).doFinal(new byte[32]);
            try {
                cipher("AES/CBC/PKCS5Padding", Token.P, Cipher.DECRYPT_MODE, key).doFinal(b);
                throw new AssertionError("opened");
            } catch (BadPaddingException e) {
                // newer JDKs
            } catch (ProviderException e) {
                Token.holds(e.toString(), e.getCause().getMessage().equals("CKR_ENCRYPTED_DATA_INVALID"));
            }
        });
        rsa();
        Token.exit();
    }

    private static SecretKey generated() throws Exception {
        KeyGenerator g = KeyGenerator.getInstance("AES", Token.P);
        g.init(256);
        return g.generateKey();
    }

    private static void sizes(String name, SecretKey key) throws Exception {
        for (int n : new int[] {1, 15, 16, 17, 32, 100, 1024, 8191, 8192, 20000}) {
            if (name.endsWith("NoPadding") && !name.contains("CTR") && !name.contains("GCM")) n = (n + 15) / 16 * 16;
            oneWay(name, key, Token.bytes(n, n));
        }
    }

    /** Encrypts and decrypts in every style of Java's API and compares with SunJCE. */
    private static void oneWay(String name, SecretKey key, byte[] plain) throws Exception {
        byte[] raw = key.getEncoded();
        Token.holds("the key has a value", raw != null);
        byte[] want = cipher(name, Security.getProvider("SunJCE"), Cipher.ENCRYPT_MODE, new SecretKeySpec(raw, "AES")).doFinal(plain);
        Token.same(name + " whole", cipher(name, Token.P, Cipher.ENCRYPT_MODE, key).doFinal(plain), want);
        Token.same(name + " back", cipher(name, Token.P, Cipher.DECRYPT_MODE, key).doFinal(want), plain);
        Token.same(name + " chunks", chunks(cipher(name, Token.P, Cipher.ENCRYPT_MODE, key), plain), want);
        Token.same(name + " chunks back", chunks(cipher(name, Token.P, Cipher.DECRYPT_MODE, key), want), plain);
        Token.same(name + " direct", direct(cipher(name, Token.P, Cipher.ENCRYPT_MODE, key), plain), want);
        Token.same(name + " direct back", direct(cipher(name, Token.P, Cipher.DECRYPT_MODE, key), want), plain);
        // In place, and the same object again after doFinal.
        Cipher c = cipher(name, Token.P, Cipher.ENCRYPT_MODE, key);
        byte[] both = Arrays.copyOf(plain, want.length);
        Token.holds(name + " in place", c.doFinal(both, 0, plain.length, both, 0) == want.length);
        Token.same(name + " in place", both, want);
        if (!name.contains("GCM")) Token.same(name + " again", c.doFinal(plain), want);
    }

    private static Cipher cipher(String name, Provider by, int mode, SecretKey key) throws Exception {
        Cipher c = Cipher.getInstance(name, by);
        if (name.contains("ECB")) c.init(mode, key);
        else if (name.contains("GCM")) c.init(mode, key, new GCMParameterSpec(128, IV, 0, 12));
        else c.init(mode, key, new IvParameterSpec(IV));
        if (name.contains("GCM")) c.updateAAD(AAD);
        return c;
    }

    private static byte[] chunks(Cipher c, byte[] in) throws Exception {
        byte[] out = new byte[in.length + 64];
        int done = 0, size = 1;
        for (int from = 0; from < in.length; from += size, size = size * 3 % 4099) {
            if (size > in.length - from) size = in.length - from;
            done += c.update(in, from, size, out, done);
        }
        done += c.doFinal(out, done);
        return Arrays.copyOf(out, done);
    }

    private static byte[] direct(Cipher c, byte[] in) throws Exception {
        ByteBuffer from = ByteBuffer.allocateDirect(in.length), to = ByteBuffer.allocateDirect(in.length + 64);
        from.put(in).flip();
        for (int size = 7; from.remaining() > size; size = size * 5 % 8209) {
            ByteBuffer part = from.slice(from.position(), size);
            c.update(part, to);
            from.position(from.position() + size);
        }
        c.doFinal(from, to);
        to.flip();
        byte[] out = new byte[to.remaining()];
        to.get(out);
        return out;
    }

    private static void rsa() throws Exception {
        KeyPair ours = Token.rsa(2048);
        KeyFactory software = KeyFactory.getInstance("RSA", "SunRsaSign");
        PublicKey copy = (PublicKey) software.translateKey(ours.getPublic());
        byte[] secret = Token.bytes(32, 7);
        Token.check("RSA/ECB/PKCS1Padding", () -> {
            Token.same("software to token", rsa(Token.P, Cipher.DECRYPT_MODE, ours.getPrivate(), rsa(Security.getProvider("SunJCE"), Cipher.ENCRYPT_MODE, copy, secret)), secret);
            Token.same("token to token", rsa(Token.P, Cipher.DECRYPT_MODE, ours.getPrivate(), rsa(Token.P, Cipher.ENCRYPT_MODE, ours.getPublic(), secret)), secret);
            // The other way round it is a raw signature.
            Token.same("private to public", rsa(Security.getProvider("SunJCE"), Cipher.DECRYPT_MODE, copy, rsa(Token.P, Cipher.ENCRYPT_MODE, ours.getPrivate(), secret)), secret);
        });
        Token.check("RSA/ECB/NoPadding", () -> {
            Cipher c = Cipher.getInstance("RSA/ECB/NoPadding", Token.P);
            c.init(Cipher.ENCRYPT_MODE, ours.getPublic());
            byte[] block = Token.bytes(256, 8);
            block[0] = 0;
            byte[] got = c.doFinal(block);
            c.init(Cipher.DECRYPT_MODE, ours.getPrivate());
            Token.same("back", c.doFinal(got), block);
        });
        Token.check("RSA wraps and unwraps", () -> {
            Cipher c = Cipher.getInstance("RSA/ECB/PKCS1Padding", Token.P);
            c.init(Cipher.WRAP_MODE, ours.getPublic());
            byte[] wrapped = c.wrap(new SecretKeySpec(secret, "AES"));
            c.init(Cipher.UNWRAP_MODE, ours.getPrivate());
            Token.same("value", c.unwrap(wrapped, "AES", Cipher.SECRET_KEY).getEncoded(), secret);
        });
    }

    private static byte[] rsa(Provider by, int mode, Key key, byte[] in) throws Exception {
        Cipher c = Cipher.getInstance("RSA/ECB/PKCS1Padding", by);
        c.init(mode, key);
        return c.doFinal(in);
    }
}
