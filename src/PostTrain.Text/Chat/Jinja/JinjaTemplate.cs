namespace PostTrain.Text.Chat.Jinja;

/// <summary>A template in the part of Jinja that chat templates use, rendered as in transformers: <c>trim_blocks</c> and
/// <c>lstrip_blocks</c> on, no escaping, loop controls, <c>tojson</c> without ASCII or HTML escapes, read-only inputs. Immutable and
/// thread-safe.</summary>
/// <remarks>Not supported (an error names it): recursive loops, template inheritance, includes and imports. A template cannot read files,
/// reach .NET objects, run forever or allocate without bound: see <see cref="JinjaLimits"/>.</remarks>
public sealed class JinjaTemplate
{
    private const int MaximumLength = 1 << 20;

    private readonly SourceText source;
    private readonly Statement[] body;

    private JinjaTemplate(SourceText source, Statement[] body, bool hasGeneration)
    {
        this.source = source;
        this.body = body;
        HasGeneration = hasGeneration;
    }

    /// <summary>The template's source with normalised line ends.</summary>
    public string Source => source.Text;

    /// <summary>True if the template marks the assistant's text with <c>{% generation %}</c>.</summary>
    public bool HasGeneration { get; }

    /// <summary>Parses a template.</summary>
    /// <param name="source">The template's source, at most 2²⁰ characters.</param>
    /// <exception cref="TemplateException">The template is invalid or uses an unsupported feature.</exception>
    public static JinjaTemplate Parse(string source)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (source.Length > MaximumLength)
            throw new TemplateException($"a template of {source.Length} characters, expected at most {MaximumLength}", 1, 1);
        var text = new SourceText(source);
        var (body, hasGeneration) = StatementParser.Read(text);
        return new JinjaTemplate(text, body, hasGeneration);
    }

    /// <summary>Renders the template.</summary>
    /// <param name="variables">The template's variables: null, bool, numbers, strings, lists, dictionaries with string keys, and JSON (<see
    /// cref="System.Text.Json.JsonElement"/>, <see cref="System.Text.Json.Nodes.JsonNode"/>).</param>
    /// <param name="now">The time that <c>strftime_now</c> writes; null leaves that function undefined, so that the output depends on the
    /// arguments only.</param>
    /// <param name="limits">Limits of the execution; null for the defaults.</param>
    /// <exception cref="TemplateException">The template fails, raises an exception itself, or reaches a limit.</exception>
    /// <exception cref="ArgumentException">A variable has a type that templates do not support.</exception>
    public string Render(IReadOnlyDictionary<string, object?> variables, DateTime? now = null, JinjaLimits? limits = null) =>
        Execute(variables, now, limits).Document.ToString();

    /// <summary>Renders the template and returns the state of the finished run.</summary>
    internal Run Execute(IReadOnlyDictionary<string, object?> variables, DateTime? now, JinjaLimits? limits)
    {
        ArgumentNullException.ThrowIfNull(variables);
        var run = new Run(source, limits ?? new JinjaLimits());
        var globals = new Scope(null);
        Globals.AddTo(globals, now);
        foreach (var (name, value) in variables)
            globals.Set(name, ValueConverter.Convert(value, name));
        Interpreter.Execute(run, new Scope(globals), body);
        return run;
    }
}
