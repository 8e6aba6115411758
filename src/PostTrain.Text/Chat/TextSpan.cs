namespace PostTrain.Text.Chat;

/// <summary>A part of a text, in UTF-16 characters.</summary>
/// <param name="Start">The first character's place.</param>
/// <param name="End">The place after the last character's.</param>
public readonly record struct TextSpan(int Start, int End)
{
    /// <summary>How many UTF-16 characters it holds.</summary>
    public int Length => End - Start;
}
