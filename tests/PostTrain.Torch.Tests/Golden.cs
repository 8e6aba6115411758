using System.Globalization;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests;

/// <summary>Reference values from tests/golden, or from the directory that POSTTRAIN_GOLDEN names.</summary>
internal static class Golden
{
    internal static IEnumerable<JsonElement> Cases(string area)
    {
        var directory = Environment.GetEnvironmentVariable("POSTTRAIN_GOLDEN") is { Length: > 0 } given ? given : Repository.PathOf("tests", "golden");
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(directory, area + ".json")));
        return [.. document.RootElement.GetProperty("cases").EnumerateArray().Select(entry => entry.Clone())];
    }

    internal static Tensor Tensor(JsonElement value)
    {
        var shape = value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()).ToArray();
        var numbers = value.GetProperty("data").EnumerateArray().Select(Number).ToArray();
        return Numbers.Real(numbers, shape).reshape(shape).to(Type(value));
    }

    internal static double Tolerance(JsonElement value) => Type(value) == float64 ? 1e-9 : 3e-5;

    internal static double Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? double.Parse(value.GetString()!, CultureInfo.InvariantCulture) : value.GetDouble();

    internal static double Number(JsonElement parameters, string name, double otherwise) =>
        parameters.TryGetProperty(name, out var value) ? Number(value) : otherwise;

    internal static bool Flag(JsonElement parameters, string name) => parameters.TryGetProperty(name, out var value) && value.GetBoolean();

    private static ScalarType Type(JsonElement value) => value.GetProperty("dtype").GetString() switch
    {
        "float64" => float64,
        "float32" => float32,
        var other => throw new InvalidDataException($"dtype {other} is not known here"),
    };
}
