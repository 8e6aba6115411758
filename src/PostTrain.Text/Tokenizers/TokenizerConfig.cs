using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using PostTrain.Text.Files;
using PostTrain.Text.HuggingFace;

namespace PostTrain.Text;

/// <summary>The content of the <c>tokenizer_config.json</c> beside a <c>tokenizer.json</c>.</summary>
public sealed record TokenizerConfig
{
    /// <summary>Name of the file: <c>tokenizer_config.json</c>.</summary>
    public const string FileName = "tokenizer_config.json";

    private const int MaximumFileBytes = 16 << 20;
    private static readonly JsonSerializerOptions Readable = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The token at the beginning of a text, or null.</summary>
    public string? BeginningOfSequence { get; init; }

    /// <summary>The token at the end of a text, or null.</summary>
    public string? EndOfSequence { get; init; }

    /// <summary>Further ids that end a completion, from <c>generation_config.json</c> and <c>config.json</c>. Default none; ids outside the
    /// vocabulary are left out.</summary>
    public IReadOnlyList<int> EndOfSequenceIds { get; init; } = [];

    /// <summary>The padding token, or null.</summary>
    public string? Padding { get; init; }

    /// <summary>The token for unknown text, or null.</summary>
    public string? Unknown { get; init; }

    /// <summary>True if <see cref="BeginningOfSequence"/> is prepended to a text; null: according to the tokenizer's own
    /// template.</summary>
    public bool? AddsBeginning { get; init; }

    /// <summary>True if <see cref="EndOfSequence"/> is appended to a text; null: according to the tokenizer's own template.</summary>
    public bool? AddsEnd { get; init; }

    /// <summary>True if decoding removes the spaces before punctuation. Default false.</summary>
    public bool CleansUpSpaces { get; init; }

    /// <summary>The side of the padding. Default right.</summary>
    public PaddingSide PaddingSide { get; init; } = PaddingSide.Right;

    /// <summary>The side that is truncated. Default right.</summary>
    public TruncationSide TruncationSide { get; init; } = TruncationSide.Right;

    /// <summary>Maximum text length of the model, in tokens; null if not given.</summary>
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
            // Files without a limit say 10^30.
            MaximumLength =
                node.Find("model_max_length") is { } length && length.Number() is var value and >= 1 and < int.MaxValue ? (int)value : null,
        };
    }

    /// <summary>Writes the configuration without <see cref="EndOfSequenceIds"/>, which belong to other files.</summary>
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

    // A text, or an object with the text as its content.
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
