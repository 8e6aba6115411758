namespace PostTrain.Rollouts.Environments;

/// <summary>Result of a tool call.</summary>
/// <param name="Call">The call; null if what the policy wrote could not be read as one.</param>
/// <param name="Content">The result as text, or what went wrong.</param>
/// <param name="IsError">True if the call failed.</param>
public sealed record ToolResult(ToolCall? Call, string Content, bool IsError = false);
