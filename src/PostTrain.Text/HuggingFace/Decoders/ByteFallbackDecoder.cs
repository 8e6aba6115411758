using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Decodes runs of tokens such as &lt;0xE2&gt; as UTF-8; each token of an invalid run becomes U+FFFD.</summary>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    internal override List<string> Apply(List<string> tokens)
    {
        var output = new List<string>(tokens.Count);
        var run = new List<byte>();
        foreach (var token in tokens)
        {
            if (
                token is ['<', '0', 'x', _, _, '>']
                && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value)
            )
            {
                run.Add(value);
                continue;
            }

            Flush(run, output);
            output.Add(token);
        }

        Flush(run, output);
        return output;
    }

    private static void Flush(List<byte> run, List<string> output)
    {
        if (run.Count == 0)
            return;
        try
        {
            output.Add(Strict.GetString(CollectionsMarshal.AsSpan(run)));
        }
        catch (DecoderFallbackException)
        {
            output.AddRange(Enumerable.Repeat("\uFFFD", run.Count));
        }

        run.Clear();
    }
}
