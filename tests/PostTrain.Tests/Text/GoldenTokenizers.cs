using System.Text;
using PostTrain.Tests.Golden;
using PostTrain.Text;

namespace PostTrain.Tests.Text;

/// <summary>The tokenizers of the golden files, and texts that break tokenizers.</summary>
internal static class GoldenTokenizers
{
    private static readonly string[] Fragments =
    [
        "the ",
        "Hello",
        " world",
        "don't",
        "'RE",
        "12",
        "3456",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\0",
        "\u007f",
        "\u0085",
        "\u00a0",
        "\u3000",
        "é",
        "e\u0301",
        "ß",
        "ſ",
        "中国",
        "日本語",
        "한국어",
        "العربية",
        "हिन्दी",
        "👍",
        "👨‍👩‍👧‍👦",
        "🇩🇪",
        "\u200d",
        "\u200b",
        "\ufeff",
        "\ufffd",
        "𝐇𝐞",
        "𠀀",
        "▁",
        "_",
        "###",
        "{}",
        "\\",
        "\"",
        "Ġ",
        "Ċ",
        "\ud800",
        "\udc00",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "!?!?",
        "<0x41>",
        "x=1;",
    ];

    internal static string Directory(string name) => Path.Combine(GoldenFile.Directory, "tokenizers", name);

    internal static TokenizerJson Load(string name) => TokenizerJson.Load(Directory(name));

    /// <summary>Texts from fragments, from any UTF-16 units and from any bytes read as UTF-8.</summary>
    internal static IEnumerable<string> Texts(int seed, int count)
    {
        var random = new Random(seed);
        for (int i = 0; i < count; i++)
        {
            int length = random.Next(0, 40);
            var text = new StringBuilder();
            switch (i % 3)
            {
                case 0:
                    for (int k = 0; k < length; k++)
                        text.Append(Fragments[random.Next(Fragments.Length)]);
                    break;
                case 1:
                    for (int k = 0; k < length; k++)
                        text.Append((char)random.Next(0x10000));
                    break;
                default:
                    var bytes = new byte[length];
                    random.NextBytes(bytes);
                    text.Append(Encoding.UTF8.GetString(bytes));
                    break;
            }

            yield return text.ToString();
        }
    }

    /// <summary>The text with U+FFFD for each half of a surrogate pair that stands alone: what a tokenizer reads.</summary>
    internal static string Whole(string text) => Encoding.Unicode.GetString(Encoding.Unicode.GetBytes(text));
}
