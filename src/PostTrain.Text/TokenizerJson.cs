using PostTrain.Text.Files;
using PostTrain.Text.HuggingFace;

namespace PostTrain.Text;

/// <summary>A tokenizer as Hugging Face's <c>tokenizers</c> library writes it, <c>tokenizer.json</c>, with the <c>tokenizer_config.json</c>
/// beside it.</summary>
/// <remarks>Ids, offsets and text are those of that library (0.23): added tokens, normaliser, pre-tokenizer, model, post-processor and
/// decoder of the file. What it has and this has not is refused when the file is read. The file's own "truncation" and "padding" are
/// ignored, as transformers does; <see cref="EncodingOptions"/> says what is wanted. Half a surrogate pair is read as U+FFFD.</remarks>
public sealed partial class TokenizerJson : IOffsetTokenizer
{
    /// <summary>The name of the file in a model's directory: <c>tokenizer.json</c>.</summary>
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

    /// <summary>What <c>tokenizer_config.json</c> says.</summary>
    public TokenizerConfig Config { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Files { get; }

    /// <inheritdoc/>
    public int VocabularySize => pipeline.VocabularySize;

    /// <summary>The id that begins a text, or null where the configuration names none.</summary>
    public int? BeginningOfSequenceId { get; }

    /// <summary>The id that ends a completion, or null where the configuration names none.</summary>
    public int? EndOfSequenceId { get; }

    /// <summary>All ids that end a completion: the configuration's, and those of <c>generation_config.json</c> and <c>config.json</c>
    /// beside the file.</summary>
    public IReadOnlyList<int> EndOfSequenceIds { get; }

    /// <summary>The padding id of the configuration, else the end's, else 0.</summary>
    public int PaddingId { get; }

    /// <summary>Reads a tokenizer.</summary>
    /// <param name="path">The file, or a directory with a <c>tokenizer.json</c>. A <c>tokenizer_config.json</c> beside it is read too, and
    /// the ends of generation that a <c>generation_config.json</c> and a <c>config.json</c> name.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is broken or has something that is not supported; the message names the file, the
    /// place in it, what was found and what was expected. Or it is larger than 256 MiB.</exception>
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
    /// <param name="config">What a <c>tokenizer_config.json</c> would say; null for the defaults.</param>
    /// <exception cref="InvalidDataException">It is broken or has something that is not supported.</exception>
    public static TokenizerJson Parse(ReadOnlyMemory<byte> json, TokenizerConfig? config = null)
    {
        var files = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal) { [FileName] = json.ToArray() };
        if (config is not null)
            files[TokenizerConfig.FileName] = config.Write();
        return new TokenizerJson(TokenizerPipeline.Parse(json, FileName), config ?? new TokenizerConfig(), files);
    }

    /// <summary>The id of a token, or null.</summary>
    public int? IdOf(string? token) => token is not null && pipeline.IdOf(token) is var id and >= 0 ? id : null;

    /// <summary>The token that an id stands for as the file spells it, or null where no token has it.</summary>
    /// <exception cref="ArgumentException">The id is outside the vocabulary.</exception>
    public string? TokenOf(int id) => pipeline.TokenOf(TokenIds.Checked([id], 0, VocabularySize));

    /// <summary>The ids of a text with the special tokens of the tokenizer's template, but without an end of the sequence that it
    /// appends.</summary>
    /// <remarks>A text that begins with the template's beginning gets no second one.</remarks>
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

    /// <summary>The ids of a text; of one that a template rendered, those that are written in it and no others:
    /// <see cref="Chat.RenderedChat.Encode"/>'s.</summary>
    public int[] Encode(MarkedText text) => text.IsRendered ? Encode(text.Text, addSpecialTokens: false) : Encode(text.Text);

    /// <summary>The ids of a text, with all special tokens of the tokenizer's template or with none of them.</summary>
    public int[] Encode(string text, bool addSpecialTokens)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Join(Finish([pipeline.Encode(text, 0, offsets: false)], addSpecialTokens));
    }

    /// <summary>The ids of a text and where each comes from.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">Adds the special tokens of the tokenizer's template. Default false: a rendered chat has its
    /// own.</param>
    public TokenEncoding EncodeWithOffsets(string text, bool addSpecialTokens = false) =>
        Encode(text, new EncodingOptions { AddSpecialTokens = addSpecialTokens });

    /// <summary>The text of ids. Special tokens are left out.</summary>
    /// <exception cref="ArgumentException">An id is outside the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids) => Decode(ids, skipSpecialTokens: true);

    /// <summary>The text of ids.</summary>
    /// <param name="ids">Ids; one that no token has adds nothing.</param>
    /// <param name="skipSpecialTokens">Leaves special tokens out; false writes them as they are spelt.</param>
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

    // The configuration's word on the ends counts where the file's template says otherwise.
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
