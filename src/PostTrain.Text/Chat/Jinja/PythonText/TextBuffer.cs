using System.Text;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>A text that grows up to a limit.</summary>
internal sealed class TextBuffer(int maximum)
{
    private readonly StringBuilder text = new();

    internal int Length => text.Length;

    internal bool TryAppend(string addition)
    {
        if (addition.Length > maximum - text.Length)
            return false;
        text.Append(addition);
        return true;
    }

    public override string ToString() => text.ToString();
}
