using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>One case of a golden file: inputs, hyper-parameters, and what a reference implementation made of them.</summary>
/// <remarks>A case records which parameters and inputs its runner reads; <see cref="Run"/> fails where one was left.</remarks>
internal sealed class GoldenCase(JsonElement json, JsonElement batches)
{
    private GoldenFields parameters = new("params", null),
        inputs = new("inputs", null),
        shared = new("batch", null);

    /// <summary>Unique in its file.</summary>
    internal string Id { get; } = json.GetProperty("id").GetString()!;

    /// <summary>Which function the case is about.</summary>
    internal string Kind { get; } = json.GetProperty("kind").GetString()!;

    /// <summary>The reference's own name of the function.</summary>
    internal string Peer => json.GetProperty("peer").GetString()!;

    /// <summary>Runs the case. Every parameter and every input must have been read at the end: one that the runner does not know is an
    /// error.</summary>
    internal void Run(Action<GoldenCase> runner)
    {
        Open();
        runner(this);
        string[] left =
        [
            .. parameters.Unread,
            .. inputs.Unread,
            .. shared.Unread.Where(name => !inputs.Names.Contains(name["batch.".Length..])),
        ];
        Assert.True(left.Length == 0, $"case {Id} of the kind {Kind} has {string.Join(", ", left)}, which its runner does not use");
    }

    /// <summary>Makes parameters and inputs readable, for a test that uses a part of them.</summary>
    internal GoldenCase Open()
    {
        parameters = new GoldenFields("params", Get(json, "params"));
        inputs = new GoldenFields("inputs", Get(json, "inputs"));
        shared = new GoldenFields(
            "batch",
            Get(json, "batch") is { ValueKind: JsonValueKind.String } batch ? batches.GetProperty(batch.GetString()!) : null
        );
        return this;
    }

    /// <summary>Hyper-parameters.</summary>
    internal GoldenFields Parameters => parameters;

    /// <summary>The case's own inputs.</summary>
    internal GoldenFields Inputs => inputs;

    /// <summary>An input of the case, or of the batch that it shares with others.</summary>
    internal Tensor Input(string name) => Read(inputs.Find(name) ?? shared.Find(name) ?? throw Missing("input", name));

    /// <summary>One of an input's list of tensors.</summary>
    internal Tensor InputAt(string name, int index) => Read(inputs.Value(name)[index]);

    /// <summary>The tensors of a list of a part ("inputs", "expected"), which may be in a list of lists: one for each step.</summary>
    internal Tensor[] Tensors(string part, string name, int? step = null)
    {
        var list = Json(part, name);
        return [.. (step is { } at ? list[at] : list).EnumerateArray().Select(Read)];
    }

    internal bool HasInput(string name) => inputs.Has(name) || shared.Has(name);

    /// <summary>Declares values that the computation cannot depend on, as the peer's does not: the reason stands beside the call.</summary>
    internal void Unneeded(params string[] names)
    {
        foreach (string name in names)
            _ = parameters.Find(name) ?? inputs.Find(name) ?? shared.Find(name);
    }

    /// <summary>Refuses a hyper-parameter with another value than the only one that the runner knows.</summary>
    internal void Only<T>(string name, T value)
    {
        if (parameters.Find(name) is { } found && !Equals(found.Deserialize<T>(), value))
            throw new NotSupportedException($"case {Id} has {name} {found.GetRawText()}, expected {value}: the runner knows no other");
    }

    internal Tensor Expected(string name) => Find("expected", name) is { } found ? Read(found) : throw Missing("expected", name);

    /// <summary>An expected scalar; several names go into an object.</summary>
    internal double ExpectedNumber(params string[] path)
    {
        var place = json.GetProperty("expected");
        foreach (string part in path)
            place = Get(place, part) ?? throw Missing("expected", string.Join(", ", path));
        return Number(place);
    }

    /// <summary>Names of all expected values.</summary>
    internal IEnumerable<string> ExpectedNames => json.GetProperty("expected").EnumerateObject().Select(entry => entry.Name);

    internal bool HasExpected(string name) => Find("expected", name) is not null;

    /// <summary>The reference's gradient with respect to a named tensor.</summary>
    internal Tensor Gradient(string name) => Find("grads", name) is { } found ? Read(found) : throw Missing("gradient", name);

    internal bool HasGradient(string name) => Find("grads", name) is not null;

    /// <summary>A hyper-parameter; the fallback where it is absent or null.</summary>
    internal double Parameter(string name, double fallback) => parameters.Find(name) is { } found ? Number(found) : fallback;

    /// <summary>A hyper-parameter that is a text; null where it is absent or something else.</summary>
    internal string? Text(string name) => parameters.Find(name, JsonValueKind.String)?.GetString();

    internal bool Flag(string name) => parameters.Find(name)?.GetBoolean() ?? false;

    internal double[] Numbers(string name) => [.. parameters.Value(name).EnumerateArray().Select(Number)];

    internal string[] Texts(string name) => [.. parameters.Value(name).EnumerateArray().Select(item => item.GetString()!)];

    /// <summary>A tensor or number of one step; part is "expected" or "grads".</summary>
    internal Tensor OfStep(string part, int step, params string[] path)
    {
        var place = Find(part, "steps")?[step] ?? throw Missing(part, "steps");
        foreach (string name in path)
            place = Get(place, name) ?? throw Missing(part, string.Join(", ", path));
        return Read(place);
    }

    internal double[] ExpectedNumbers(string name) =>
        [.. (Find("expected", name) ?? throw Missing("expected", name)).EnumerateArray().Select(Number)];

    internal double[] InputNumbers(string name) => [.. inputs.Value(name).EnumerateArray().Select(Number)];

    internal long[][] InputRows(string name) =>
        [.. inputs.Value(name).EnumerateArray().Select(row => row.EnumerateArray().Select(value => value.GetInt64()).ToArray())];

    /// <summary>Names of all hyper-parameters of the case.</summary>
    internal IEnumerable<string> ParameterNames => parameters.Names;

    internal bool HasParameter(string name) => parameters.Has(name);

    /// <summary>A part of the case ("inputs", "expected") that is not a tensor.</summary>
    internal JsonElement Json(string part, string name) => Find(part, name) ?? throw Missing(part, name);

    /// <summary>A copy that has one more value in a part ("params", "inputs").</summary>
    internal GoldenCase With(string part, string name)
    {
        var copy = JsonNode.Parse(json.GetRawText())!;
        if (copy[part] is not JsonObject)
            copy[part] = new JsonObject();
        copy[part]![name] = 1;
        return new GoldenCase(copy.Deserialize<JsonElement>(), batches);
    }

    public override string ToString() => Id;

    private JsonElement? Find(string part, string name) =>
        part switch
        {
            "params" => parameters.Find(name),
            "inputs" => inputs.Find(name),
            _ => Get(json, part) is { ValueKind: JsonValueKind.Object } place ? Get(place, name) : null,
        };

    private static JsonElement? Get(JsonElement place, string name) =>
        place.TryGetProperty(name, out var found) && found.ValueKind != JsonValueKind.Null ? found : null;

    private static double Number(JsonElement element) =>
        element.ValueKind == JsonValueKind.String
            ? double.Parse(element.GetString()!, NumberStyles.Float, CultureInfo.InvariantCulture)
            : element.GetDouble();

    /// <summary>A tensor, or a plain number as a scalar.</summary>
    internal static Tensor Read(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Number)
            return tensor(element.GetDouble());
        long[] shape = [.. element.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())];
        var data = element.GetProperty("data").EnumerateArray();
        return element.GetProperty("dtype").GetString() switch
        {
            "float64" => tensor(data.Select(Number).ToArray()).reshape(shape),
            "float32" => tensor(data.Select(Number).ToArray()).to_type(ScalarType.Float32).reshape(shape),
            "bfloat16" => tensor(data.Select(Number).ToArray()).to_type(ScalarType.BFloat16).reshape(shape),
            "int64" => tensor(data.Select(item => item.GetInt64()).ToArray()).reshape(shape),
            "bool" => tensor(data.Select(item => item.GetInt64() != 0).ToArray()).reshape(shape),
            var other => throw new NotSupportedException(
                $"tensors of type {other} are not read, expected float64, float32, bfloat16, int64 or bool"
            ),
        };
    }

    private KeyNotFoundException Missing(string what, string name) => new($"case {Id} has no {what} \"{name}\"");
}
