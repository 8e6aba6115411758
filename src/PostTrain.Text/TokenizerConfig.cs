using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using PostTrain.Text.Files;
using PostTrain.Text.HuggingFace;

namespace PostTrain.Text;

/// <summary>What <c>tokenizer_config.json</c> says beside a <c>tokenizer.json</c>.</summary>
public sealed record TokenizerConfig
{
    /// <summary>The name of the file: <c>tokenizer_config.json</c>.</summary>
    public const string FileName = "tokenizer_config.json";

    private const int MaximumFileBytes = 16 << 20;
    private static readonly JsonSerializerOptions Readable = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The token that begins a text, or null.</summary>
    public string? BeginningOfSequence { get; init; }

    /// <summary>The token that ends a text, or null.</summary>
    public string? EndOfSequence { get; init; }

    /// <summary>Further ids that end a completion, as <c>generation_config.json</c> and <c>config.json</c> name them. Default none; ids
    /// that the vocabulary lacks are left out.</summary>
    public IReadOnlyList<int> EndOfSequenceIds { get; init; } = [];

    /// <summary>The token that fills a batch, or null.</summary>
    public string? Padding { get; init; }

    /// <summary>The token for what the vocabulary lacks, or null.</summary>
    public string? Unknown { get; init; }

    /// <summary>Whether <see cref="BeginningOfSequence"/> is put in front of a text; null: as the tokenizer's own template says.</summary>
    public bool? AddsBeginning { get; init; }

    /// <summary>Whether <see cref="EndOfSequence"/> is put behind a text; null: as the tokenizer's own template says.</summary>
    public bool? AddsEnd { get; init; }

    /// <summary>Decoding takes back the spaces before punctuation. Default false.</summary>
    public bool CleansUpSpaces { get; init; }

    /// <summary>The side of the padding. Default right.</summary>
    public PaddingSide PaddingSide { get; init; } = PaddingSide.Right;

    /// <summary>The side that truncation cuts off. Default right.</summary>
    public TruncationSide TruncationSide { get; init; } = TruncationSide.Right;

    /// <summary>The longest text that the model takes, in tokens; null where none is said.</summary>
    public int? MaximumLength { get; init; }

    internal static TokenizerConfig Load(string path)
    {
        const string expected = "a JSON object with a tokenizer's configuration";
        return Parse(BoundedFile.ReadBytes(path, MaximumFileBytes, expected), path);
    }

    internal static TokenizerConfig Parse(ReadOnlyMemory<byte> json, string name)
    {
        using var document = TokenizerDocument.Parse(json, name);
        var node = new TokenizerNode(document.RootElement, name);
        return new TokenizerConfig
        {
            BeginningOfSequence = Token(node, "bos_token"),
            EndOfSequence = Token(node, "eos_token"),
            Padding = Token(node, "pad_token"),
            Unknown = Token(node, "unk_token"),
            AddsBeginning = node.Find("add_bos_token")?.Flag(),
            AddsEnd = node.Find("add_eos_token")?.Flag(),
            CleansUpSpaces = node.Flag("clean_up_tokenization_spaces", false),
            PaddingSide = IsLeft(node, "padding_side") ? PaddingSide.Left : PaddingSide.Right,
            TruncationSide = IsLeft(node, "truncation_side") ? TruncationSide.Left : TruncationSide.Right,
            // Files that mean "no limit" say 10^30.
            MaximumLength =
                node.Find("model_max_length") is { } length && length.Number() is var value and >= 1 and < int.MaxValue ? (int)value : null,
        };
    }

    /// <summary>The file that says the same, but for <see cref="EndOfSequenceIds"/>, which other files name.</summary>
    internal byte[] Write()
    {
        var json = new JsonObject();
        Add("bos_token", BeginningOfSequence);
        Add("eos_token", EndOfSequence);
        Add("pad_token", Padding);
        Add("unk_token", Unknown);
        Add("add_bos_token", AddsBeginning);
        Add("add_eos_token", AddsEnd);
        Add("clean_up_tokenization_spaces", CleansUpSpaces);
        Add("padding_side", PaddingSide == PaddingSide.Left ? "left" : "right");
        Add("truncation_side", TruncationSide == TruncationSide.Left ? "left" : "right");
        Add("model_max_length", MaximumLength);
        return JsonSerializer.SerializeToUtf8Bytes(json, Readable);

        void Add(string name, JsonNode? value)
        {
            if (value is not null)
                json[name] = value;
        }
    }

    // A text, or an object that has it as its content.
    private static string? Token(TokenizerNode node, string name) =>
        node.Find(name) is not { } found ? null
        : found.Element.ValueKind == JsonValueKind.Object ? found.Get("content").Text()
        : found.Text();

    private static bool IsLeft(TokenizerNode node, string name) =>
        node.Find(name) is { } found
        && found.Text() switch
        {
            "left" => true,
            "right" => false,
            _ => throw found.Refuse("left or right"),
        };
}
