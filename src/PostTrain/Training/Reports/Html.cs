using System.Globalization;
using System.Text;

namespace PostTrain.Training.Reports;

/// <summary>Writes HTML elements and escapes all text and attribute values.</summary>
/// <remarks>The output is also well-formed XML: every element is closed, every attribute is quoted.</remarks>
internal sealed class Html
{
    private readonly StringBuilder written = new();
    private readonly Stack<string> open = new();

    /// <summary>Opens an element with attributes, given as name and value.</summary>
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

    /// <summary>Writes an element that contains a text.</summary>
    public Html Element(string name, string text, params ReadOnlySpan<(string Name, string Value)> attributes) =>
        Open(name, attributes).Text(text).Close();

    /// <summary>Writes an empty element.</summary>
    public Html Empty(string name, params ReadOnlySpan<(string Name, string Value)> attributes)
    {
        Start(name, attributes);
        written.Append("/>");
        return this;
    }

    /// <summary>Writes an escaped text.</summary>
    public Html Text(string text)
    {
        Escape(written, text);
        return this;
    }

    /// <summary>Writes a line break.</summary>
    public Html Line()
    {
        written.Append('\n');
        return this;
    }

    /// <summary>Writes trusted markup, such as the style sheet, without escaping.</summary>
    public Html Raw(string markup)
    {
        written.Append(markup);
        return this;
    }

    /// <summary>Formats a coordinate with at most two decimals, in the invariant culture.</summary>
    public static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    /// <summary>Returns the markup written so far.</summary>
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
        // By rune: half a surrogate pair, which a model may produce, becomes U+FFFD, as does every control character.
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
