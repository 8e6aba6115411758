using System.Globalization;
using PostTrain.Data.Batches;
using PostTrain.Data.Records.Files;
using PostTrain.Text;

namespace PostTrain.Data.Records;

/// <summary>View of a data set before training: what was read, what was skipped and why, lengths in tokens, and one example as tokens with
/// what is learnt of it.</summary>
public sealed class DataPreview
{
    // Longer examples are shown up to here.
    private const int MostShown = 4096;

    private DataPreview(RecordKind kind) => Kind = kind;

    /// <summary>Kind of the examples.</summary>
    public RecordKind Kind { get; }

    /// <summary>Paths of the files, in the order in which they were read.</summary>
    public IReadOnlyList<string> Files { get; private init; } = [];

    /// <summary>Number of records read, the skipped ones included.</summary>
    public int Records { get; private init; }

    /// <summary>Number of examples that the records became.</summary>
    public int Examples { get; private init; }

    /// <summary>Fields of the records.</summary>
    public IReadOnlyList<RecordField> Fields { get; private init; } = [];

    /// <summary>Number of records that were left out.</summary>
    public int SkippedCount { get; private init; }

    /// <summary>The first of the records that were left out, at most 100.</summary>
    public IReadOnlyList<SkippedRecord> Skipped { get; private init; } = [];

    /// <summary>Findings of the reading and of the encoding, as trainers tell them.</summary>
    public IReadOnlyList<DataNote> Notes { get; private init; } = [];

    /// <summary>Lengths of the sequences (two of a pair) in tokens before truncation, or of the prompts of problems.</summary>
    public TokenHistogram Lengths { get; private init; } = TokenHistogram.Of([]);

    /// <summary>Tokens that are learnt of each sequence, after truncation; empty for problems.</summary>
    public TokenHistogram LearntLengths { get; private init; } = TokenHistogram.Of([]);

    /// <summary>Number of sequences that do not fit the model's context; without truncation a trainer refuses them. 0 without
    /// <see cref="DataPreviewOptions.ContextLength"/>.</summary>
    public int TooLong { get; private init; }

    /// <summary>The shown example, one sequence or the two sides of a pair, at most 4096 tokens each; empty if there is no such
    /// example.</summary>
    public IReadOnlyList<PreviewExample> Shown { get; private init; } = [];

    /// <summary>Reads a data set and encodes its examples. Only their lengths are kept.</summary>
    /// <param name="path">The file or directory.</param>
    /// <param name="template">Renders instructions and conversations.</param>
    /// <param name="tokenizer">Tokenizer of the model.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellation">Looked at between examples.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, or no record fits any kind.</exception>
    public static DataPreview Of(
        string path,
        InstructionTemplate template,
        ITokenizer tokenizer,
        DataPreviewOptions? options = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(template);
        ArgumentNullException.ThrowIfNull(tokenizer);
        options ??= new DataPreviewOptions();
        options.Validate();
        var kind = options.Kind ?? Detect(path, template, options.Records);
        var tally = new RecordTally(RecordFiles.Of(path, options.Records.Split));
        var view = new PreviewCounter(tokenizer, options);
        foreach (var texts in PreviewText.Of(kind, template, tally, options.Records with { SkipsInvalid = true }))
        {
            cancellation.ThrowIfCancellationRequested();
            view.Add(texts);
        }
        return new DataPreview(kind)
        {
            Files = tally.Files,
            Records = tally.Records,
            Examples = view.Examples,
            Fields = tally.Fields,
            SkippedCount = tally.SkippedCount,
            Skipped = tally.Skipped,
            Notes = [.. tally.Notes(view.Examples), .. view.Notes.Of(view.Examples)],
            Lengths = TokenHistogram.Of(view.Lengths),
            LearntLengths = TokenHistogram.Of(view.Learnt),
            TooLong = view.TooLong,
            Shown = view.Shown,
        };
    }

    /// <summary>Returns the kind of a data set by its first record: pairs if it has <c>chosen</c> and <c>rejected</c>, judged completions
    /// if it has a <c>label</c>, otherwise demonstrations, or problems if a completion is missing.</summary>
    /// <param name="path">The file or directory.</param>
    /// <param name="template">Renders instructions and conversations.</param>
    /// <param name="options">Options of the reading; null for the defaults.</param>
    /// <exception cref="InvalidDataException">There is no record, or the first fits no kind.</exception>
    public static RecordKind Detect(string path, InstructionTemplate template, RecordOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(template);
        options = (options ?? new RecordOptions()) with { MaximumRecords = 1, SkipsInvalid = true };
        foreach (var kind in (RecordKind[])[RecordKind.Pairs, RecordKind.Judged, RecordKind.Demonstrations, RecordKind.Problems])
        {
            var tally = new RecordTally(RecordFiles.Of(path, options.Split));
            if (PreviewText.Of(kind, template, tally, options).Any())
                return kind;
            if (tally.Records == 0)
                throw new InvalidDataException($"{path} holds no records, expected {RecordRows.Expected}");
        }
        // The error of the commonest kind says what the record lacks.
        _ = RecordReader
            .Examples(
                new RecordTally(RecordFiles.Of(path, options.Split)),
                RecordForms.Demonstrations(template),
                options with
                {
                    SkipsInvalid = false,
                }
            )
            .Any();
        throw new InvalidDataException($"{path}: the first record fits no kind of examples");
    }

    /// <summary>Counts examples and keeps the shown one.</summary>
    private sealed class PreviewCounter(ITokenizer tokenizer, DataPreviewOptions options)
    {
        private readonly int context = options.ContextLength ?? int.MaxValue - 1;

        internal int Examples { get; private set; }

        internal List<int> Lengths { get; } = [];

        internal List<int> Learnt { get; } = [];

        internal int TooLong { get; private set; }

        internal DataNotes Notes { get; } = new();

        internal List<PreviewExample> Shown { get; } = [];

        internal void Add(PreviewText[] texts)
        {
            int index = Examples++;
            foreach (var text in texts)
            {
                string name = text.Side.Length == 0 ? $"data[{index}]" : $"data[{index}] {text.Side}";
                var example = text.Completion is { } completion ? Sequence(text.Prompt, completion, name) : Prompt(text.Prompt, name);
                if (index == options.ShownExample)
                    Shown.Add(new PreviewExample($"{index.ToString(CultureInfo.InvariantCulture)} {text.Side}".TrimEnd(), Tokens(example)));
            }
        }

        private TokenExample Sequence(MarkedText prompt, MarkedText completion, string name)
        {
            // Without a limit, so that what does not fit is counted and not refused.
            var encoder = new ExampleEncoder(tokenizer, int.MaxValue - 1) { AppendEnd = options.AppendEndOfSequence, Notes = Notes };
            var example = encoder.Encode(prompt, completion, name);
            Lengths.Add(example.Ids.Length);
            if (example.Ids.Length > context + 1L)
                TooLong++;
            if (options.Truncation is { } truncation && example.HasLearnt)
                example = encoder.Cut(example, name, truncation, truncation.Limit(context + 1));
            Learnt.Add(Enumerable.Range(1, Math.Max(example.Ids.Length - 1, 0)).Count(example.Learns));
            return example;
        }

        private TokenExample Prompt(MarkedText prompt, string name)
        {
            int[] ids = tokenizer.Encode(prompt);
            Lengths.Add(ids.Length);
            if (ids.Length >= context)
                TooLong++;
            new ExampleEncoder(tokenizer, context) { Notes = Notes }.CheckPrompt(new Problem(prompt), ids, name);
            return new TokenExample(ids, ids.Length);
        }

        private PreviewToken[] Tokens(TokenExample example) =>
            [.. example.Ids.Take(MostShown).Select((id, i) => new PreviewToken(id, Spelled(example.Ids, i), i > 0 && example.Learns(i)))];

        // Beside its neighbour: some tokenizers drop the space of a text's first token.
        private string Spelled(int[] ids, int index)
        {
            string own = tokenizer.Decode([ids[index]], skipSpecialTokens: false);
            if (index == 0)
                return own;
            string before = tokenizer.Decode([ids[index - 1]], skipSpecialTokens: false),
                both = tokenizer.Decode([ids[index - 1], ids[index]], skipSpecialTokens: false);
            return both.StartsWith(before, StringComparison.Ordinal) && both.Length - before.Length >= own.Length
                ? both[before.Length..]
                : own;
        }
    }
}
