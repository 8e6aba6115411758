using PostTrain.Text.Chat;

namespace PostTrain.Rollouts.Environments;

/// <summary>Format of tool calls and of their results in a model's text: two functions.</summary>
/// <remarks>Results are inserted as they are. One that spells a special token of the tokenizer is read as this token by the
/// policy.</remarks>
public sealed class ToolCallFormat
{
    private readonly Func<string, IReadOnlyList<ToolCall>> parse;
    private readonly Func<IReadOnlyList<ToolResult>, string> observe;

    private ToolCallFormat(string name, Func<string, IReadOnlyList<ToolCall>> parse, Func<IReadOnlyList<ToolResult>, string> observe) =>
        (Name, this.parse, this.observe) = (name, parse, observe);

    /// <summary>Hermes and Qwen: <c>&lt;tool_call&gt;{"name": …, "arguments": {…}}&lt;/tool_call&gt;</c>, any number in a turn; results as
    /// <c>&lt;tool_response&gt;</c> in a user's message in ChatML.</summary>
    public static ToolCallFormat Hermes { get; } = new("Hermes", ToolCallParsers.Hermes, ToolObservations.Hermes);

    /// <summary>Llama 3.1: the whole turn is <c>{"name": …, "parameters": {…}}</c>, several separated by semicolons, with or without
    /// <c>&lt;|python_tag|&gt;</c>; results in messages of <c>ipython</c>.</summary>
    public static ToolCallFormat Llama { get; } = new("Llama 3.1", ToolCallParsers.Llama, ToolObservations.Llama);

    /// <summary>Mistral: <c>[TOOL_CALLS] [{"name": …, "arguments": {…}, "id": …}]</c>, or <c>[TOOL_CALLS]name[ARGS]{…}</c>; results as
    /// <c>[TOOL_RESULTS] {…}[/TOOL_RESULTS]</c>.</summary>
    public static ToolCallFormat Mistral { get; } = new("Mistral", ToolCallParsers.Mistral, ToolObservations.Mistral);

    /// <summary>Name in messages.</summary>
    public string Name { get; }

    /// <summary>Creates a format of your own.</summary>
    /// <param name="name">Name in messages.</param>
    /// <param name="parse">Reads the calls of a turn with special tokens spelled; none for a turn without calls. A
    /// <see cref="FormatException"/> says that a call is malformed: its message is the result that the policy reads.</param>
    /// <param name="observe">Writes the results of a turn's calls, at least one, up to where the policy's next turn begins.</param>
    public static ToolCallFormat Of(
        string name,
        Func<string, IReadOnlyList<ToolCall>> parse,
        Func<IReadOnlyList<ToolResult>, string> observe
    )
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(parse);
        ArgumentNullException.ThrowIfNull(observe);
        return new ToolCallFormat(name, parse, observe);
    }

    /// <summary>Returns the format with results written by a chat template, as messages of the role <c>tool</c>.</summary>
    /// <param name="template">Template of the model.</param>
    /// <param name="endOfTurn">The spelled stop token that ends a turn of the policy, which it has written itself.</param>
    /// <exception cref="ArgumentException">The template does not write the assistant's content.</exception>
    public ToolCallFormat With(ChatTemplate template, string endOfTurn)
    {
        ArgumentNullException.ThrowIfNull(template);
        ArgumentException.ThrowIfNullOrEmpty(endOfTurn);
        return new ToolCallFormat(Name, parse, results => ToolObservations.ByTemplate(template, endOfTurn, results));
    }

    /// <summary>Reads the calls of a turn, with special tokens spelled; none if it has none.</summary>
    /// <exception cref="FormatException">A call is malformed.</exception>
    public IReadOnlyList<ToolCall> Parse(string turn)
    {
        ArgumentNullException.ThrowIfNull(turn);
        return parse(turn);
    }

    /// <summary>Writes results as the text between a turn of the policy and the next.</summary>
    /// <param name="results">At least one.</param>
    public string Observe(IReadOnlyList<ToolResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        if (results.Count == 0)
            throw new ArgumentException("results is empty, expected at least one", nameof(results));
        return observe(results);
    }

    /// <summary>Returns the name.</summary>
    public override string ToString() => Name;
}
