using System.Globalization;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>One case of a golden file: inputs, hyper-parameters, and what a reference implementation made of them.</summary>
internal sealed class GoldenCase(JsonElement json, JsonElement batches)
{
    /// <summary>Unique in its file.</summary>
    internal string Id { get; } = json.GetProperty("id").GetString()!;

    /// <summary>Which function the case is about.</summary>
    internal string Kind { get; } = json.GetProperty("kind").GetString()!;

    /// <summary>The reference's own name of the function.</summary>
    internal string Peer => json.GetProperty("peer").GetString()!;

    /// <summary>An input of the case, or of the batch that it shares with others.</summary>
    internal Tensor Input(string name) =>
        Find("inputs", name) is { } own ? Read(own) : Batch(name) is { } shared ? Read(shared) : throw Missing("input", name);

    /// <summary>One of an input's list of tensors.</summary>
    internal Tensor InputAt(string name, int index) => Read((Find("inputs", name) ?? throw Missing("input", name))[index]);

    /// <summary>The tensors of a list of a part ("inputs", "expected"), which may be in a list of lists: one for each step.</summary>
    internal Tensor[] Tensors(string part, string name, int? step = null)
    {
        var list = Json(part, name);
        return [.. (step is { } at ? list[at] : list).EnumerateArray().Select(Read)];
    }

    internal bool HasInput(string name) => Find("inputs", name) is not null || Batch(name) is not null;

    internal Tensor Expected(string name) => Find("expected", name) is { } found ? Read(found) : throw Missing("expected", name);

    /// <summary>An expected scalar; several names go into an object.</summary>
    internal double ExpectedNumber(params string[] path)
    {
        var place = json.GetProperty("expected");
        foreach (string part in path) place = Get(place, part) ?? throw Missing("expected", string.Join(", ", path));
        return Number(place);
    }

    internal bool HasExpected(string name) => Find("expected", name) is not null;

    /// <summary>The reference's gradient with respect to a named tensor.</summary>
    internal Tensor Gradient(string name) => Find("grads", name) is { } found ? Read(found) : throw Missing("gradient", name);

    internal bool HasGradient(string name) => Find("grads", name) is not null;

    /// <summary>A hyper-parameter; the fallback where it is absent or null.</summary>
    internal double Parameter(string name, double fallback) => Find("params", name) is { } found ? Number(found) : fallback;

    /// <summary>A hyper-parameter that is a text; null where it is absent or something else.</summary>
    internal string? Text(string name) => Find("params", name) is { ValueKind: JsonValueKind.String } found ? found.GetString() : null;

    internal bool Flag(string name) => Find("params", name)?.GetBoolean() ?? false;

    internal double[] Numbers(string name) => [.. (Find("params", name) ?? throw Missing("parameter", name)).EnumerateArray().Select(Number)];

    internal string[] Texts(string name) =>
        [.. (Find("params", name) ?? throw Missing("parameter", name)).EnumerateArray().Select(item => item.GetString()!)];

    /// <summary>How many steps a case of several has.</summary>
    internal int Steps => Find("inputs", "steps")?.GetArrayLength() ?? 0;

    /// <summary>A tensor or number of one step; part is "inputs", "expected" or "grads".</summary>
    internal Tensor OfStep(string part, int step, params string[] path)
    {
        var place = Find(part, "steps")?[step] ?? throw Missing(part, "steps");
        foreach (string name in path) place = Get(place, name) ?? throw Missing(part, string.Join(", ", path));
        return Read(place);
    }

    internal double[] ExpectedNumbers(string name) => [.. (Find("expected", name) ?? throw Missing("expected", name)).EnumerateArray().Select(Number)];

    internal double[] InputNumbers(string name) => [.. (Find("inputs", name) ?? throw Missing("input", name)).EnumerateArray().Select(Number)];

    internal long[][] InputRows(string name) =>
        [.. (Find("inputs", name) ?? throw Missing("input", name)).EnumerateArray().Select(row => row.EnumerateArray().Select(value => value.GetInt64()).ToArray())];

    /// <summary>Names of all hyper-parameters of the case.</summary>
    internal IEnumerable<string> ParameterNames => json.GetProperty("params").EnumerateObject().Select(item => item.Name);

    internal bool HasParameter(string name) => Find("params", name) is not null;

    /// <summary>A part of the case ("inputs", "expected") that is not a tensor.</summary>
    internal JsonElement Json(string part, string name) => Find(part, name) ?? throw Missing(part, name);

    public override string ToString() => Id;

    private JsonElement? Batch(string name) =>
        Get(json, "batch") is { ValueKind: JsonValueKind.String } batch ? Get(batches.GetProperty(batch.GetString()!), name) : null;

    private JsonElement? Find(string part, string name) => Get(json, part) is { ValueKind: JsonValueKind.Object } place ? Get(place, name) : null;

    private static JsonElement? Get(JsonElement place, string name) =>
        place.TryGetProperty(name, out var found) && found.ValueKind != JsonValueKind.Null ? found : null;

    private static double Number(JsonElement element) =>
        element.ValueKind == JsonValueKind.String ? double.Parse(element.GetString()!, NumberStyles.Float, CultureInfo.InvariantCulture) : element.GetDouble();

    /// <summary>A tensor, or a plain number as a scalar.</summary>
    internal static Tensor Read(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Number) return tensor(element.GetDouble());
        long[] shape = [.. element.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())];
        var data = element.GetProperty("data").EnumerateArray();
        return element.GetProperty("dtype").GetString() switch
        {
            "float64" => tensor(data.Select(Number).ToArray()).reshape(shape),
            "float32" => tensor(data.Select(Number).ToArray()).to_type(ScalarType.Float32).reshape(shape),
            "bfloat16" => tensor(data.Select(Number).ToArray()).to_type(ScalarType.BFloat16).reshape(shape),
            "int64" => tensor(data.Select(item => item.GetInt64()).ToArray()).reshape(shape),
            "bool" => tensor(data.Select(item => item.GetInt64() != 0).ToArray()).reshape(shape),
            var other => throw new NotSupportedException($"tensors of type {other} are not read, expected float64, float32, bfloat16, int64 or bool"),
        };
    }

    private KeyNotFoundException Missing(string what, string name) => new($"case {Id} has no {what} \"{name}\"");
}
