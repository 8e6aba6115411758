namespace PostTrain.Text.Chat;

/// <summary>A template that cannot be read, fails while it is rendered, or does more than its limits allow.</summary>
public sealed class TemplateException : Exception
{
    /// <summary>Names what is wrong and where.</summary>
    /// <param name="reason">What is wrong; of <c>raise_exception</c>, the template's own text.</param>
    /// <param name="line">The line in the template, from 1.</param>
    /// <param name="column">The column in that line, from 1.</param>
    public TemplateException(string reason, int line, int column)
        : base($"template, line {line}, column {column}: {reason}")
    {
        Reason = reason;
        Line = line;
        Column = column;
    }

    /// <summary>What is wrong, without the place.</summary>
    public string Reason { get; }

    /// <summary>The line in the template, from 1.</summary>
    public int Line { get; }

    /// <summary>The column in that line, from 1, in UTF-16 characters.</summary>
    public int Column { get; }
}
