using PostTrain.Numerics;
using PostTrain.Text;

namespace PostTrain.Data;

/// <summary>Makes batches of examples.</summary>
public static class Collation
{
    /// <summary>The label of a position that is not learnt.</summary>
    public const int Ignored = -100;

    /// <summary>Rows padded on the right.</summary>
    /// <param name="examples">At least one.</param>
    /// <param name="paddingId">What fills the ids; the labels get −100 there.</param>
    /// <param name="padToMultipleOf">The length is rounded up to a multiple of this. Default 1.</param>
    /// <exception cref="ArgumentException">There are no examples, or labels are not as many as ids.</exception>
    public static LanguageModelBatch LanguageModel(IReadOnlyList<LanguageModelExample> examples, int paddingId, int padToMultipleOf = 1)
    {
        Check(examples);
        return new LanguageModelBatch(
            SequencePadding.Pad([.. examples.Select(example => example.Ids)], paddingId, multipleOf: padToMultipleOf),
            SequencePadding.Pad([.. examples.Select(Labels)], Ignored, multipleOf: padToMultipleOf),
            SequencePadding.Pad([.. examples.Select(example => Ones(example.Ids.Length))], 0, multipleOf: padToMultipleOf),
            Positions: null
        );
    }

    /// <summary>One row of all sequences end to end, with positions that begin again in each.</summary>
    /// <remarks>A sequence's first token follows on nothing of its own, so that its label is −100. There is no attention mask: where a
    /// model tells sequences apart by their positions, one of all ones would hide them.</remarks>
    /// <param name="examples">At least one. Either all say what sequences they are packed of or none does.</param>
    /// <param name="paddingId">What fills the row up to a multiple of <paramref name="padToMultipleOf"/>; positions are 0 and labels −100
    /// there.</param>
    /// <param name="padToMultipleOf">Default 1.</param>
    /// <exception cref="ArgumentException">There are no examples, labels are not as many as ids, or the lengths of sequences do not add
    /// up.</exception>
    public static LanguageModelBatch PaddingFree(IReadOnlyList<LanguageModelExample> examples, int paddingId, int padToMultipleOf = 1)
    {
        Check(examples);
        int[] positions = [.. examples.SelectMany(Lengths).SelectMany(length => Enumerable.Range(0, length))];
        int[] labels = [.. examples.SelectMany(Labels)];
        for (int i = 0; i < labels.Length; i++)
            if (positions[i] == 0)
                labels[i] = Ignored;
        return new LanguageModelBatch(
            SequencePadding.Pad(
                [
                    [.. examples.SelectMany(example => example.Ids)],
                ],
                paddingId,
                multipleOf: padToMultipleOf
            ),
            SequencePadding.Pad([labels], Ignored, multipleOf: padToMultipleOf),
            AttentionMask: null,
            SequencePadding.Pad([positions], 0, multipleOf: padToMultipleOf)
        );
    }

    /// <summary>Preference pairs as rows of prompt and completion.</summary>
    /// <param name="pairs">At least one.</param>
    /// <param name="paddingId">What fills the rows on the right.</param>
    /// <param name="maximumLength">The most tokens of a row; null: no limit.</param>
    /// <param name="truncationSide">What is cut off a longer row: its end (the right, the default) or its beginning.</param>
    /// <param name="padToMultipleOf">The length is rounded up to a multiple of this. Default 1.</param>
    /// <exception cref="ArgumentException">There are no pairs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The maximum length is negative.</exception>
    public static PreferenceBatch Preference(
        IReadOnlyList<PreferenceTokens> pairs,
        int paddingId,
        int? maximumLength = null,
        TruncationSide truncationSide = TruncationSide.Right,
        int padToMultipleOf = 1
    )
    {
        ArgumentNullException.ThrowIfNull(pairs);
        if (maximumLength is { } limit)
            Guard.AtLeast(limit, 0, nameof(maximumLength));
        int[] Cut(int[] row) =>
            maximumLength is not { } length || row.Length <= length ? row
            : truncationSide == TruncationSide.Right ? row[..length]
            : row[^length..];
        (int[] Prompt, int[] Completion)[] rows =
        [
            .. pairs.Select(pair => (pair.Prompt, pair.Chosen)),
            .. pairs.Select(pair => (pair.Prompt, pair.Rejected)),
        ];
        int[][] ids = [.. rows.Select(row => Cut([.. row.Prompt, .. row.Completion]))];
        int[][] completions = [.. rows.Select(row => Cut([.. new int[row.Prompt.Length], .. Ones(row.Completion.Length)]))];
        return new PreferenceBatch(
            SequencePadding.Pad(ids, paddingId, multipleOf: padToMultipleOf),
            SequencePadding.Pad([.. ids.Select(row => Ones(row.Length))], 0, multipleOf: padToMultipleOf),
            SequencePadding.Pad(completions, 0, multipleOf: padToMultipleOf)
        );
    }

    private static int[] Labels(LanguageModelExample example) => example.Labels ?? example.Ids;

    private static int[] Lengths(LanguageModelExample example) => example.SequenceLengths ?? [example.Ids.Length];

    private static int[] Ones(int count) => [.. Enumerable.Repeat(1, count)];

    private static void Check(IReadOnlyList<LanguageModelExample> examples)
    {
        ArgumentNullException.ThrowIfNull(examples);
        for (int i = 0; i < examples.Count; i++)
        {
            var (ids, labels, lengths) = examples[i];
            if (labels is not null && labels.Length != ids.Length)
                throw new ArgumentException(
                    $"examples[{i}] has {ids.Length} ids and {labels.Length} labels, expected as many",
                    nameof(examples)
                );
            if (lengths is not null && (lengths.Any(length => length < 0) || lengths.Sum(length => (long)length) != ids.Length))
                throw new ArgumentException(
                    $"examples[{i}] has {ids.Length} ids, expected sequence lengths that add up to that",
                    nameof(examples)
                );
        }
    }
}
