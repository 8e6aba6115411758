using System.Globalization;
using System.Text;
using PostTrain.Data;
using PostTrain.Text;

namespace PostTrain.Adapters.Prompts;

/// <summary>The placement of virtual tokens around a prompt, e.g. <c>"{3}{prompt}{2}"</c>: three virtual tokens, the prompt, two more.
/// Other text is kept (P-tuning's anchor tokens).</summary>
/// <remarks>Liu et al. 2021, arXiv:2103.10385, section 2.1. <c>{k}</c> stands for the next k virtual tokens, <c>{prompt}</c> for the prompt
/// (once), <c>{{</c> and <c>}}</c> for braces. Virtual tokens are written into the text as marks, which <see cref="TemplateTokenizer"/>
/// converts to their ids.</remarks>
public sealed class PromptTemplate
{
    /// <summary>Maximum number of virtual tokens.</summary>
    public const int MaximumLength = 1 << 16;

    private readonly string before;
    private readonly string after;

    /// <param name="format">The template.</param>
    /// <exception cref="ArgumentException">A brace is open or unknown, <c>{prompt}</c> does not occur exactly once, or there are too many
    /// virtual tokens; the message gives the position.</exception>
    public PromptTemplate(string format)
    {
        ArgumentNullException.ThrowIfNull(format);
        var text = new StringBuilder();
        string? head = null;
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] is not ('{' or '}'))
            {
                text.Append(format[i]);
                continue;
            }

            if (i + 1 < format.Length && format[i + 1] == format[i])
            {
                text.Append(format[i++]);
                continue;
            }

            var end = format[i] == '{' ? format.IndexOf('}', i) : -1;
            if (end < 0)
                throw new ArgumentException(
                    $"format has a single '{format[i]}' at {i}, expected {{k}}, {{prompt}} or a doubled brace.",
                    nameof(format)
                );
            var name = format.AsSpan(i + 1, end - i - 1);
            if (name.SequenceEqual("prompt"))
            {
                if (head is not null)
                    throw new ArgumentException($"format has a second {{prompt}} at {i}, expected one.", nameof(format));
                head = text.ToString();
                text.Clear();
            }
            else if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count <= MaximumLength - Length)
            {
                for (; count > 0; count--)
                    text.Append(TemplateTokenizer.Mark(Length++));
            }
            else
            {
                throw new ArgumentException(
                    $"format has {{{(name.Length <= 20 ? name : name[..20])}}} at {i}, expected {{prompt}} or a number of virtual "
                        + $"tokens, {MaximumLength} in all at most.",
                    nameof(format)
                );
            }

            i = end;
        }

        before = head ?? throw new ArgumentException("format has no {prompt}, expected one.", nameof(format));
        after = text.ToString();
    }

    /// <summary>Number of virtual tokens, n.</summary>
    public int Length { get; }

    /// <summary>Returns the prompt with the marks of the virtual tokens around it.</summary>
    public string Apply(string prompt) => before + prompt + after;

    /// <summary>Applies the template to a text that may be rendered by a chat template.</summary>
    public MarkedText Apply(MarkedText prompt) => prompt with { Text = Apply(prompt.Text) };

    /// <summary>Applies the template to the prompt of a problem.</summary>
    public Problem Apply(Problem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return problem with { Prompt = Apply(problem.Prompt) };
    }

    /// <summary>Applies the template to the prompt of a demonstration: {[P], x, [P], y}.</summary>
    public Demonstration Apply(Demonstration demonstration)
    {
        ArgumentNullException.ThrowIfNull(demonstration);
        return demonstration with { Prompt = Apply(demonstration.Prompt) };
    }
}
