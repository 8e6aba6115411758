namespace PostTrain.Text.Chat;

/// <summary>An error of a template: it is invalid, fails while rendering, or exceeds a limit.</summary>
public sealed class TemplateException : Exception
{
    /// <summary>Creates the error with its reason and place.</summary>
    /// <param name="reason">The reason; for <c>raise_exception</c> the template's own text.</param>
    /// <param name="line">Line in the template, from 1.</param>
    /// <param name="column">Column in that line, from 1.</param>
    public TemplateException(string reason, int line, int column)
        : base($"template, line {line}, column {column}: {reason}")
    {
        Reason = reason;
        Line = line;
        Column = column;
    }

    /// <summary>The reason, without the place.</summary>
    public string Reason { get; }

    /// <summary>Line in the template, from 1.</summary>
    public int Line { get; }

    /// <summary>Column in that line, from 1, in UTF-16 characters.</summary>
    public int Column { get; }
}
