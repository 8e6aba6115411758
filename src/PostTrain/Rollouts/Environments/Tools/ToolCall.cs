using System.Text.Json;

namespace PostTrain.Rollouts.Environments;

/// <summary>A call of a tool that the policy wrote.</summary>
/// <param name="Name">Name of the tool.</param>
/// <param name="Arguments">A JSON object.</param>
public sealed record ToolCall(string Name, JsonElement Arguments)
{
    /// <summary>Number or name that the policy gave to the call; null for none.</summary>
    public string? Id { get; init; }
}
