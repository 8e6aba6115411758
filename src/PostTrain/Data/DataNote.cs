namespace PostTrain.Data;

/// <summary>Finding about the examples of a data set.</summary>
/// <param name="Name">Name of the kind of finding, words joined by hyphens, such as <c>joined-border</c>.</param>
/// <param name="Count">Number of examples that it concerns.</param>
/// <param name="Message">One sentence with the count and the first example.</param>
/// <param name="Advice">Meaning of the finding and what to do.</param>
public sealed record DataNote(string Name, int Count, string Message, string Advice)
{
    /// <summary>True if nothing needs to be done.</summary>
    /// <value>The default is false.</value>
    public bool IsHarmless { get; init; }

    /// <summary>Returns one line of text.</summary>
    public override string ToString() => $"{Name}: {Message} {Advice}";
}
