using System.Text.Json;
using PostTrain.Data;
using PostTrain.Tests.Support;
using PostTrain.Text;

namespace PostTrain.Tests.Golden;

/// <summary>tokenizers.json and the directories of tokenizers beside it.</summary>
internal static class TokenizersGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["encode"] = new(Encode),
            ["batch"] = new(Batch),
            ["pair"] = new(Pair),
        };

    internal static TokenizerJson Tokenizer(GoldenCase item) =>
        TokenizerJson.Load(Path.Combine(GoldenFile.Directory, item.Text("tokenizer")!));

    private static void Encode(GoldenCase item)
    {
        var tokenizer = Tokenizer(item);
        var rows = item.Json("expected", "rows").EnumerateArray().ToArray();
        Assert.NotEmpty(rows);
        foreach (var row in rows)
        {
            string text = row.GetProperty("text").GetString()!;
            var plain = tokenizer.EncodeWithOffsets(text);
            int[] special = tokenizer.Encode(text, addSpecialTokens: true);
            Assert.Equal((text, Text(Ints(row, "ids"))), (text, Text(plain.Ids)));
            Assert.Equal(plain.Ids, tokenizer.Encode(text, addSpecialTokens: false));
            Assert.Equal(
                (text, Text(Ints(row, "offsets"))),
                (text, Text(plain.Offsets.SelectMany(range => new[] { CodePoints(text, range.Start), CodePoints(text, range.End) })))
            );
            Assert.Equal((text, Text(Ints(row, "ids_special"))), (text, Text(special)));
            Assert.Equal((text, row.GetProperty("decoded").GetString()), (text, tokenizer.Decode(plain.Ids, skipSpecialTokens: false)));
            Assert.Equal(
                (text, row.GetProperty("decoded_special").GetString()),
                (text, tokenizer.Decode(special, skipSpecialTokens: false))
            );
            if (row.TryGetProperty("decoded_skip", out var skipped))
                Assert.Equal((text, skipped.GetString()), (text, tokenizer.Decode(special)));
            if (row.TryGetProperty("tokens", out var tokens))
                Assert.Equal(tokens.GetArrayLength(), plain.Ids.Length);
        }
    }

    private static void Batch(GoldenCase item)
    {
        var tokenizer = Tokenizer(item);
        string[] texts = [.. item.Json("inputs", "texts").EnumerateArray().Select(text => text.GetString()!)];
        var padding = item.Json("params", "padding");
        bool toMaximum = padding.ValueKind == JsonValueKind.String && padding.GetString() == "max_length";
        bool truncates = item.HasParameter("truncation") && item.Flag("truncation");
        int? maximum = item.HasParameter("max_length") ? (int)item.Parameter("max_length", 0) : tokenizer.Config.MaximumLength;
        var options = new EncodingOptions
        {
            MaximumLength = truncates || toMaximum ? maximum : null,
            PadToMaximumLength = toMaximum,
            PadToMultipleOf = (int)item.Parameter("pad_to_multiple_of", 1),
            PaddingSide = item.Text("padding_side") switch
            {
                "left" => PaddingSide.Left,
                "right" => PaddingSide.Right,
                _ => null,
            },
        };
        var encodings = texts.Select(text => tokenizer.Encode(text, truncates ? options : options with { MaximumLength = null })).ToArray();
        if (padding.ValueKind == JsonValueKind.False)
        {
            Assert.Equal(Rows(item, "input_ids"), encodings.Select(encoding => Text(encoding.Ids)));
            return;
        }

        var batch = tokenizer.Pad(encodings, options);
        Assert.Equal(Rows(item, "input_ids"), Rows(batch.Ids));
        Assert.Equal(Rows(item, "attention_mask"), Rows(batch.AttentionMask));
    }

    private static void Pair(GoldenCase item)
    {
        var encoding = Tokenizer(item).EncodePair(item.Json("inputs", "a").GetString()!, item.Json("inputs", "b").GetString()!);
        Assert.Equal(Text(item.Json("expected", "input_ids").EnumerateArray().Select(id => id.GetInt32())), Text(encoding.Ids));
        Assert.Equal(item.Json("expected", "attention_mask").GetArrayLength(), encoding.Ids.Length);
    }

    private static int CodePoints(string text, int units) => text.AsSpan(0, units).ToArray().Count(unit => !char.IsLowSurrogate(unit));

    private static IEnumerable<int> Ints(JsonElement row, string name) =>
        row.GetProperty(name).EnumerateArray().Select(value => value.GetInt32());

    private static string Text(IEnumerable<int> numbers) => string.Join(' ', numbers);

    private static string[] Rows(GoldenCase item, string name) =>
        [.. item.Json("expected", name).EnumerateArray().Select(row => Text(row.EnumerateArray().Select(value => value.GetInt32())))];

    private static string[] Rows(long[,] batch) =>
        [.. batch.Cast<long>().Select(value => (int)value).Chunk(batch.GetLength(1)).Select(row => Text(row))];
}
