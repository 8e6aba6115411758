namespace PostTrain.Text.HuggingFace;

/// <summary>GPT-2's printable characters for the 256 bytes: printable Latin-1 maps to itself, the others to U+0100 and on.</summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = MakeCharacters();
    private static readonly short[] Bytes = MakeBytes();

    internal static char Character(byte value) => Characters[value];

    /// <summary>Returns the byte of a character, or −1.</summary>
    internal static int Byte(char character) => character < Bytes.Length ? Bytes[character] : -1;

    private static char[] MakeCharacters()
    {
        var characters = new char[256];
        int next = 256;
        for (int value = 0; value < 256; value++)
            characters[value] = (char)(value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? value : next++);
        return characters;
    }

    private static short[] MakeBytes()
    {
        var bytes = new short[Characters.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (int value = 0; value < 256; value++)
            bytes[Characters[value]] = (short)value;
        return bytes;
    }
}
