namespace PostTrain.Data.Records;

/// <summary>Kind of training examples that records are read as.</summary>
public enum RecordKind
{
    /// <summary>Prompts with completions: <see cref="RecordForms.Demonstrations"/>.</summary>
    Demonstrations,

    /// <summary>Pairs of completions: <see cref="RecordForms.Pairs"/>.</summary>
    Pairs,

    /// <summary>Completions with a verdict: <see cref="RecordForms.Judged"/>.</summary>
    Judged,

    /// <summary>Prompts with a reference answer: <see cref="RecordForms.Problems"/>.</summary>
    Problems,
}
