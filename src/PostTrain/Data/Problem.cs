using System.Text.Json;
using System.Text.Json.Serialization;
using PostTrain.Text;

namespace PostTrain.Data;

/// <summary>Task for a policy: a prompt, and what rewards compare its completions with.</summary>
/// <param name="Prompt">Text that the policy continues.</param>
/// <param name="Answer">Reference answer that a verifier compares with; null where no verifier needs one.</param>
public sealed record Problem(MarkedText Prompt, string? Answer = null)
{
    /// <summary>Values that rewards can read besides the answer: tests, units, metadata. In JSON Lines, all other fields of the
    /// line.</summary>
    /// <value>The default is <see cref="ProblemFields.Empty"/>.</value>
    [JsonIgnore]
    public ProblemFields Fields { get; init; } = ProblemFields.Empty;

    [JsonInclude]
    [JsonExtensionData]
    private Dictionary<string, JsonElement>? OtherFields
    {
        get => ReferenceEquals(Fields, ProblemFields.Empty) ? null : Fields.Shared;
        init => Fields = value is null ? ProblemFields.Empty : new ProblemFields(value);
    }
}
