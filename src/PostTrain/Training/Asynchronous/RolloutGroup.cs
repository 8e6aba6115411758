using System.Text.Json;
using System.Text.Json.Serialization;
using PostTrain.Rollouts;

namespace PostTrain.Training;

/// <summary>Finished completions of one prompt. In JSON, numbers read back to the same bits.</summary>
/// <param name="Number">Place of the prompt in the run's order.</param>
/// <param name="Step">Steps that were done when it was asked for.</param>
/// <param name="Samples">One a completion; rows from 0.</param>
internal sealed record RolloutGroup(long Number, long Step, IReadOnlyList<RolloutSample> Samples)
{
    private static readonly int[] AnyPrompt = [0];

    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    internal string ToJson() => JsonSerializer.Serialize(this, Format);

    /// <summary>Reads and checks a group.</summary>
    /// <exception cref="InvalidDataException">It is no JSON of a group, or its completions do not fit.</exception>
    internal static RolloutGroup FromJson(string json, int groupSize, int vocabularySize)
    {
        RolloutGroup group;
        try
        {
            group = JsonSerializer.Deserialize<RolloutGroup>(json, Format) ?? throw new JsonException("found null");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"expected a group of completions: {error.Message}", error);
        }
        if (group.Number < 0 || group.Step < 0 || group.Samples.Count != groupSize)
            throw new InvalidDataException(
                $"a group has the number {group.Number}, the step {group.Step} and {group.Samples.Count} completions, expected numbers of "
                    + $"at least 0 and {groupSize} completions"
            );
        var request = new RolloutRequest([.. group.Samples.Select(_ => AnyPrompt)], new SamplingOptions { MaxNewTokens = int.MaxValue }, 0)
        {
            VocabularySize = vocabularySize,
        };
        for (int row = 0; row < groupSize; row++)
        {
            SampleCheck.Require($"group {group.Number}", request, group.Samples[row]);
            if (group.Samples[row].Row != row)
                throw new InvalidDataException($"group {group.Number} has row {group.Samples[row].Row} at place {row}");
        }
        return group;
    }
}
