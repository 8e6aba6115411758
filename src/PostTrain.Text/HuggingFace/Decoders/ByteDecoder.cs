using System.Runtime.InteropServices;
using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Decodes byte characters as UTF-8. A token with any other character is text; invalid UTF-8 becomes U+FFFD.</summary>
internal sealed class ByteDecoder : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens)
    {
        var bytes = new List<byte>();
        foreach (var token in tokens)
        {
            int first = bytes.Count;
            foreach (char character in token)
            {
                int value = ByteAlphabet.Byte(character);
                if (value < 0)
                {
                    bytes.RemoveRange(first, bytes.Count - first);
                    bytes.AddRange(Encoding.UTF8.GetBytes(token));
                    break;
                }

                bytes.Add((byte)value);
            }
        }

        return [Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(bytes))];
    }
}
