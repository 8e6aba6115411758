namespace PostTrain.Text.Chat;

/// <summary>A span of a text, in UTF-16 characters.</summary>
/// <param name="Start">Position of the first character.</param>
/// <param name="End">Position after the last character.</param>
public readonly record struct TextSpan(int Start, int End)
{
    /// <summary>Length in UTF-16 characters.</summary>
    public int Length => End - Start;
}
