using System.Globalization;
using System.Text;

namespace PostTrain.Training.Reports;

/// <summary>Writes elements. Text and attribute values are escaped here, in one place, so that no section can forget it.</summary>
/// <remarks>The output is well-formed XML too: every element is closed, every attribute is quoted.</remarks>
internal sealed class Html
{
    private readonly StringBuilder written = new();
    private readonly Stack<string> open = new();

    /// <summary>Opens an element; attributes are given as name and value.</summary>
    public Html Open(string name, params ReadOnlySpan<(string Name, string Value)> attributes)
    {
        Start(name, attributes);
        written.Append('>');
        open.Push(name);
        return this;
    }

    /// <summary>Closes the innermost open element.</summary>
    public Html Close()
    {
        written.Append("</").Append(open.Pop()).Append('>');
        return this;
    }

    /// <summary>An element that holds a text.</summary>
    public Html Element(string name, string text, params ReadOnlySpan<(string Name, string Value)> attributes) =>
        Open(name, attributes).Text(text).Close();

    /// <summary>An element that holds nothing.</summary>
    public Html Empty(string name, params ReadOnlySpan<(string Name, string Value)> attributes)
    {
        Start(name, attributes);
        written.Append("/>");
        return this;
    }

    /// <summary>A text, escaped.</summary>
    public Html Text(string text)
    {
        Escape(written, text);
        return this;
    }

    /// <summary>A line break in the source.</summary>
    public Html Line()
    {
        written.Append('\n');
        return this;
    }

    /// <summary>Markup of our own, such as the style sheet. Never text from outside.</summary>
    public Html Raw(string markup)
    {
        written.Append(markup);
        return this;
    }

    /// <summary>A coordinate: at most two decimals, in the invariant culture.</summary>
    public static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    /// <summary>What was written so far.</summary>
    public override string ToString() => written.ToString();

    private void Start(string name, ReadOnlySpan<(string Name, string Value)> attributes)
    {
        written.Append('<').Append(name);
        foreach (var (key, value) in attributes)
        {
            written.Append(' ').Append(key).Append("=\"");
            Escape(written, value);
            written.Append('"');
        }
    }

    private static void Escape(StringBuilder target, string text)
    {
        // By rune, so that half a surrogate pair, which a model may well produce, becomes U+FFFD like every control character.
        foreach (var rune in text.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '&':
                    target.Append("&amp;");
                    break;
                case '<':
                    target.Append("&lt;");
                    break;
                case '>':
                    target.Append("&gt;");
                    break;
                case '"':
                    target.Append("&quot;");
                    break;
                case '\'':
                    target.Append("&#39;");
                    break;
                case '\n' or '\t':
                    target.Append((char)rune.Value);
                    break;
                case '\r':
                    break;
                case < 0x20 or (>= 0x7F and < 0xA0) or 0xFFFE or 0xFFFF:
                    target.Append('\uFFFD');
                    break;
                default:
                    target.Append(rune.ToString());
                    break;
            }
        }
    }
}
