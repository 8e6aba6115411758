using PostTrain.Text;

namespace PostTrain.Data.Records;

/// <summary>Texts of the examples of a data set, whatever their kind.</summary>
/// <param name="Side">Side of the example; empty if it has one only.</param>
/// <param name="Prompt">Text that is given.</param>
/// <param name="Completion">Text that is learnt; null for a prompt that is sampled from.</param>
internal readonly record struct PreviewText(string Side, MarkedText Prompt, MarkedText? Completion)
{
    /// <summary>Reads the texts of each example in turn.</summary>
    internal static IEnumerable<PreviewText[]> Of(
        RecordKind kind,
        InstructionTemplate template,
        RecordTally tally,
        RecordOptions options
    ) =>
        kind switch
        {
            RecordKind.Demonstrations => RecordReader
                .Examples(tally, RecordForms.Demonstrations(template), options)
                .Select(item => new PreviewText[] { new("", item.Prompt, item.Completion) }),
            RecordKind.Pairs => RecordReader
                .Examples(tally, RecordForms.Pairs(template), options)
                .Select(item => new PreviewText[] { new("chosen", item.Prompt, item.Chosen), new("rejected", item.Prompt, item.Rejected) }),
            RecordKind.Judged => RecordReader
                .Examples(tally, RecordForms.Judged(template), options)
                .Select(item => new PreviewText[] { new(item.Desirable ? "desirable" : "undesirable", item.Prompt, item.Completion) }),
            RecordKind.Problems => RecordReader
                .Examples(tally, RecordForms.Problems(template), options)
                .Select(item => new PreviewText[] { new("prompt", item.Prompt, null) }),
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "kind must be Demonstrations, Pairs, Judged or Problems"),
        };
}
