using PostTrain.Text.Files;
using PostTrain.Text.HuggingFace;

namespace PostTrain.Text;

/// <summary>A tokenizer of Hugging Face's <c>tokenizers</c> library, read from <c>tokenizer.json</c> and the <c>tokenizer_config.json</c>
/// beside it.</summary>
/// <remarks>Ids, offsets and text equal those of that library (0.23): added tokens, normaliser, pre-tokenizer, model, post-processor and
/// decoder of the file. Unsupported parts are rejected when the file is read. As in transformers, the file's own "truncation" and "padding"
/// are ignored; use <see cref="EncodingOptions"/>. An unpaired surrogate is read as U+FFFD.</remarks>
public sealed partial class TokenizerJson : IOffsetTokenizer
{
    /// <summary>Name of the file in a model's directory: <c>tokenizer.json</c>.</summary>
    public const string FileName = "tokenizer.json";

    private const int MaximumFileBytes = 256 << 20;
    private readonly TokenizerPipeline pipeline;

    private TokenizerJson(TokenizerPipeline pipeline, TokenizerConfig config, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        Files = files;
        this.pipeline = pipeline;
        Config = config;
        BeginningOfSequenceId = IdOf(config.BeginningOfSequence);
        EndOfSequenceId = IdOf(config.EndOfSequence);
        EndOfSequenceIds =
        [
            .. new[] { EndOfSequenceId }
                .OfType<int>()
                .Concat(config.EndOfSequenceIds.Where(id => id >= 0 && id < pipeline.VocabularySize))
                .Distinct(),
        ];
        PaddingId = IdOf(config.Padding) ?? EndOfSequenceId ?? 0;
        if (config.AddsBeginning is not null || config.AddsEnd is not null)
            ApplyEnds();
    }

    /// <summary>The content of <c>tokenizer_config.json</c>.</summary>
    public TokenizerConfig Config { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Files { get; }

    /// <inheritdoc/>
    public int VocabularySize => pipeline.VocabularySize;

    /// <summary>The id at the beginning of a text; null if the configuration has none.</summary>
    public int? BeginningOfSequenceId { get; }

    /// <summary>The id that ends a completion; null if the configuration has none.</summary>
    public int? EndOfSequenceId { get; }

    /// <summary>All ids that end a completion: that of the configuration, and those of <c>generation_config.json</c> and <c>config.json</c>
    /// beside the file.</summary>
    public IReadOnlyList<int> EndOfSequenceIds { get; }

    /// <summary>The padding id of the configuration, otherwise the end id, otherwise 0.</summary>
    public int PaddingId { get; }

    /// <summary>Reads a tokenizer.</summary>
    /// <param name="path">The file, or a directory with a <c>tokenizer.json</c>. A <c>tokenizer_config.json</c> beside it is read too, and
    /// the end ids in <c>generation_config.json</c> and <c>config.json</c>.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is malformed, has unsupported parts, or is larger than 256 MiB. The message names
    /// the file, the place in it, the value found and the value expected.</exception>
    public static TokenizerJson Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
            path = Path.Combine(path, FileName);
        var json = BoundedFile.ReadBytes(path, MaximumFileBytes, "a tokenizer in JSON");
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var beside = Path.Combine(folder, TokenizerConfig.FileName);
        var config = File.Exists(beside) ? TokenizerConfig.Load(beside) : new TokenizerConfig();
        return new TokenizerJson(
            TokenizerPipeline.Parse(json, path),
            config with
            {
                EndOfSequenceIds = GenerationEnds.Of(folder),
            },
            TokenizerFolder.Read(path, json)
        );
    }

    /// <summary>Reads a tokenizer from memory.</summary>
    /// <param name="json">The content of a <c>tokenizer.json</c>, UTF-8.</param>
    /// <param name="config">The content of a <c>tokenizer_config.json</c>; null for the defaults.</param>
    /// <exception cref="InvalidDataException">The file is malformed or has unsupported parts.</exception>
    public static TokenizerJson Parse(ReadOnlyMemory<byte> json, TokenizerConfig? config = null)
    {
        var files = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal) { [FileName] = json.ToArray() };
        if (config is not null)
            files[TokenizerConfig.FileName] = config.Write();
        return new TokenizerJson(TokenizerPipeline.Parse(json, FileName), config ?? new TokenizerConfig(), files);
    }

    /// <summary>Returns the id of a token, or null.</summary>
    public int? IdOf(string? token) => token is not null && pipeline.IdOf(token) is var id and >= 0 ? id : null;

    /// <summary>Returns the token of an id as the file spells it; null if no token has it.</summary>
    /// <exception cref="ArgumentException">The id is outside the vocabulary.</exception>
    public string? TokenOf(int id) => pipeline.TokenOf(TokenIds.Checked([id], 0, VocabularySize));

    /// <summary>Encodes a text with the special tokens of the tokenizer's template, but without an end of sequence that it
    /// appends.</summary>
    /// <remarks>A text that begins with the template's beginning token gets no second one.</remarks>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var plain = pipeline.Encode(text, 0, offsets: false);
        var parts = Finish([plain], special: true);
        if (parts is [{ Special: true } first, _, ..] && plain.Ids.AsSpan().StartsWith(first.Ids))
            parts = [.. parts.Skip(1)];
        var last = parts[^1];
        if (last.Special && last.Ids.Length > 0 && last.Ids[^1] == EndOfSequenceId)
            parts = [.. parts.SkipLast(1), last with { Ids = last.Ids[..^1] }];
        return Join(parts);
    }

    /// <summary>Encodes a text; one rendered by a template without adding special tokens, as <see cref="Chat.RenderedChat.Encode"/>
    /// does.</summary>
    public int[] Encode(MarkedText text) => text.IsRendered ? Encode(text.Text, addSpecialTokens: false) : Encode(text.Text);

    /// <summary>Encodes a text with all special tokens of the tokenizer's template or with none of them.</summary>
    public int[] Encode(string text, bool addSpecialTokens)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Join(Finish([pipeline.Encode(text, 0, offsets: false)], addSpecialTokens));
    }

    /// <summary>Encodes a text with the source range of each token.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">True to add the special tokens of the tokenizer's template. Default false: a rendered chat contains
    /// them.</param>
    public TokenEncoding EncodeWithOffsets(string text, bool addSpecialTokens = false) =>
        Encode(text, new EncodingOptions { AddSpecialTokens = addSpecialTokens });

    /// <summary>Decodes ids. Special tokens are left out.</summary>
    /// <exception cref="ArgumentException">An id is outside the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids) => Decode(ids, skipSpecialTokens: true);

    /// <summary>Decodes ids.</summary>
    /// <param name="ids">The ids; an id without a token is left out.</param>
    /// <param name="skipSpecialTokens">True to leave special tokens out; false to spell them.</param>
    /// <exception cref="ArgumentException">An id is outside the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        for (int i = 0; i < ids.Length; i++)
            TokenIds.Checked(ids, i, VocabularySize);
        var text = pipeline.Decode(ids, skipSpecialTokens);
        return Config.CleansUpSpaces ? Spacing.CleanUp(text) : text;
    }

    private IReadOnlyList<EncodedPart> Finish(IReadOnlyList<EncodedPart> parts, bool special) =>
        pipeline.PostProcessor?.Apply(parts, special) ?? parts;

    private static int[] Join(IReadOnlyList<EncodedPart> parts) =>
        parts.Count == 1 ? parts[0].Ids : [.. parts.SelectMany(part => part.Ids)];

    // The configuration takes precedence over the file's template for the beginning and end tokens.
    private void ApplyEnds()
    {
        var parts = Finish([EncodedPart.Empty], special: true);
        bool begins = parts[0].Special && parts[0].Ids is [var first, ..] && first == BeginningOfSequenceId;
        bool ends = parts[^1].Special && parts[^1].Ids is [.., var last] && last == EndOfSequenceId && (parts.Count > 1 || !begins);
        bool wantsBeginning = (Config.AddsBeginning ?? begins) && BeginningOfSequenceId is not null;
        bool wantsEnd = (Config.AddsEnd ?? ends) && EndOfSequenceId is not null;
        if (wantsBeginning == begins && wantsEnd == ends)
            return;
        var template = TemplatePostProcessor.Around(wantsBeginning ? BeginningOfSequenceId : null, wantsEnd ? EndOfSequenceId : null);
        pipeline.PostProcessor =
            pipeline.PostProcessor is { } own && own.Added(pair: false) == 0 ? new PostProcessorSequence([own, template]) : template;
    }
}
