using System.Text.Json;
using Microsoft.Extensions.AI;
using PostTrain.Data;

namespace PostTrain.Rollouts.Environments;

/// <summary>An environment of tools: calls that the policy writes are made, and their results are the observation. A turn without a call
/// ends the completion.</summary>
/// <remarks>Errors are results that the policy reads: a malformed call, an unknown tool, wrong arguments, an exception, a call that takes
/// too
/// long. Calls of a turn are made one after the other, in order.</remarks>
public sealed class ToolEnvironment : IEnvironment
{
    private readonly Dictionary<string, AIFunction> tools;
    private readonly ToolCallFormat format;
    private readonly ToolOptions options;

    /// <summary>Creates an environment.</summary>
    /// <param name="tools">Functions with names that differ, such as those of <see cref="AIFunctionFactory"/>; at least one. Called from
    /// several threads.</param>
    /// <param name="format">The form of calls and of results.</param>
    /// <param name="options">Bounds; null for the defaults.</param>
    /// <exception cref="ArgumentException">There is no tool, or two have one name.</exception>
    public ToolEnvironment(IReadOnlyList<AIFunction> tools, ToolCallFormat format, ToolOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(tools);
        ArgumentNullException.ThrowIfNull(format);
        if (tools.Count == 0)
            throw new ArgumentException("tools is empty, expected at least one function", nameof(tools));
        if (tools.GroupBy(tool => tool.Name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new ArgumentException($"tools has {twice.Count()} functions of the name {twice.Key}, expected one", nameof(tools));
        this.tools = tools.ToDictionary(tool => tool.Name, StringComparer.Ordinal);
        (this.format, this.options) = (format, options ?? new ToolOptions());
        this.options.Validate();
    }

    /// <summary>The tools' names.</summary>
    public string Name => $"tools {string.Join(", ", tools.Keys)}";

    /// <summary>Descriptions of the tools for a chat template: <see cref="Text.Chat.ChatOptions.Tools"/>.</summary>
    public IReadOnlyList<JsonElement> Schemas =>
        [
            .. tools.Values.Select(tool =>
                JsonSerializer.SerializeToElement(
                    new
                    {
                        type = "function",
                        function = new
                        {
                            name = tool.Name,
                            description = tool.Description,
                            parameters = tool.JsonSchema,
                        },
                    }
                )
            ),
        ];

    /// <summary>Begins an episode, which has no state.</summary>
    public IEpisode Begin(EpisodeStart start) => new Episode(this);

    private async Task<string?> ObserveAsync(PolicyTurn turn, CancellationToken cancellation)
    {
        IReadOnlyList<ToolCall> calls;
        try
        {
            calls = format.Parse(turn.Spelled);
        }
        catch (FormatException error)
        {
            return format.Observe([new ToolResult(null, Cut($"error: {error.Message}"), IsError: true)]);
        }
        if (calls.Count == 0)
            return null;
        var results = new List<ToolResult>(calls.Count);
        foreach (var call in calls.Take(options.MaxCallsPerTurn))
            results.Add(await CallAsync(call, cancellation).ConfigureAwait(false));
        if (calls.Count > options.MaxCallsPerTurn)
            results.Add(
                new ToolResult(null, $"error: {calls.Count} calls in a turn, only {options.MaxCallsPerTurn} were made", IsError: true)
            );
        return format.Observe(results);
    }

    private async Task<ToolResult> CallAsync(ToolCall call, CancellationToken cancellation)
    {
        if (!tools.TryGetValue(call.Name, out var tool))
            return new ToolResult(call, Cut($"error: there is no tool {call.Name}, only {string.Join(", ", tools.Keys)}"), IsError: true);
        try
        {
            var arguments = new AIFunctionArguments(
                call.Arguments.EnumerateObject().DistinctBy(item => item.Name).ToDictionary(item => item.Name, item => (object?)item.Value)
            );
            var result = await TimeLimit
                .WithinAsync(
                    token => tool.InvokeAsync(arguments, token).AsTask(),
                    call.Name,
                    options.CallTimeout,
                    TimeProvider.System,
                    cancellation
                )
                .ConfigureAwait(false);
            return new ToolResult(call, Cut(Text(result)));
        }
        catch (Exception error) when (!cancellation.IsCancellationRequested)
        {
            return new ToolResult(call, Cut($"error: {error.Message}"), IsError: true);
        }
    }

    private static string Text(object? result) =>
        result switch
        {
            null => "null",
            string text => text,
            JsonElement { ValueKind: JsonValueKind.String } text => text.GetString()!,
            JsonElement other => other.GetRawText(),
            _ => JsonSerializer.Serialize(result),
        };

    // Does not split a surrogate pair.
    private string Cut(string text) =>
        text.Length <= options.MaxResultCharacters
            ? text
            : text[..(options.MaxResultCharacters - (char.IsHighSurrogate(text[options.MaxResultCharacters - 1]) ? 1 : 0))] + "…";

    private sealed class Episode(ToolEnvironment environment) : IEpisode
    {
        public Task<string?> ObserveAsync(PolicyTurn turn, CancellationToken cancellation = default) =>
            environment.ObserveAsync(turn, cancellation);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
