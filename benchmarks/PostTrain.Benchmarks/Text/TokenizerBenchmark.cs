using System.Text;
using BenchmarkDotNet.Attributes;
using PostTrain.Text;

namespace PostTrain.Benchmarks.Text;

/// <summary>Encoding and decoding of 1 MB of plays that are made up: 1 / seconds is MB/s. POSTTRAIN_TEXT names another text.</summary>
public class TokenizerBenchmark
{
    private const int Length = 1_000_000;
    private string text = "";
    private int[] ids = [];
    private TokenizerJson? tokenizer;

    /// <summary>A directory of tests/golden/tokenizers.</summary>
    [Params("bpe-gpt2", "bpe-llama3", "bpe-qwen2", "sp-bpe", "sp-metaspace")]
    public string Tokenizer { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        tokenizer = TokenizerJson.Load(Path.Combine(Golden(), Tokenizer));
        text = Environment.GetEnvironmentVariable("POSTTRAIN_TEXT") is { Length: > 0 } path ? File.ReadAllText(path) : Plays();
        if (text.Length > Length)
            text = text[..Length];
        ids = tokenizer.Encode(text);
    }

    [Benchmark]
    public int Encode() => tokenizer!.Encode(text, addSpecialTokens: false).Length;

    [Benchmark]
    public int EncodeWithOffsets() => tokenizer!.EncodeWithOffsets(text).Ids.Length;

    [Benchmark]
    public int Decode() => tokenizer!.Decode(ids).Length;

    // Words of one to four syllables, the rarer the longer down the list, in speeches of some lines.
    private static string Plays()
    {
        string[] syllables =
        [
            "the",
            "lo",
            "ve",
            "ki",
            "ng",
            "mo",
            "re",
            "an",
            "d",
            "to",
            "th",
            "ou",
            "sir",
            "ha",
            "st",
            "wi",
            "ll",
            "gra",
            "ce",
            "ri",
            "ch",
            "ard",
            "men",
            "en",
        ];
        var random = new Random(1);
        string[] words = [.. Enumerable.Range(0, 12_000).Select(_ => string.Concat(random.GetItems(syllables, random.Next(1, 5))))];
        var plays = new StringBuilder();
        while (plays.Length < Length)
        {
            plays.Append(words[random.Next(40)].ToUpperInvariant()).Append(":\n");
            for (int line = random.Next(1, 8); line > 0; line--)
            {
                for (int word = random.Next(4, 10); word > 0; word--)
                {
                    plays.Append(words[(int)(words.Length * Math.Pow(random.NextDouble(), 6))]);
                    plays.Append(
                        random.Next(12) switch
                        {
                            0 => ", ",
                            1 => "'s ",
                            2 => "; ",
                            _ => " ",
                        }
                    );
                }

                plays.Append(
                    random.Next(3) switch
                    {
                        0 => ".\n",
                        1 => "!\n",
                        _ => ",\n",
                    }
                );
            }

            plays.Append('\n');
        }

        return plays.ToString();
    }

    private static string Golden()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, "tests", "golden", "tokenizers");
            if (Directory.Exists(candidate))
                return candidate;
        }

        throw new DirectoryNotFoundException($"there is no tests/golden/tokenizers above {AppContext.BaseDirectory}");
    }
}
