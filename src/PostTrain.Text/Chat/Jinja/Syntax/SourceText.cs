namespace PostTrain.Text.Chat.Jinja;

/// <summary>A template's source with line ends normalised to <c>\n</c> and one final line end removed, as Jinja does by default.</summary>
internal sealed class SourceText
{
    internal SourceText(string source)
    {
        var text = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        Text = text.EndsWith('\n') ? text[..^1] : text;
    }

    internal string Text { get; }

    internal TemplateException Error(int position, string reason)
    {
        var before = Text.AsSpan(0, Math.Clamp(position, 0, Text.Length));
        return new TemplateException(reason, before.Count('\n') + 1, before.Length - before.LastIndexOf('\n'));
    }
}
