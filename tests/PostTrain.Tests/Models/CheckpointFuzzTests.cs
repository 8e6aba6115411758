using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Tests.Support;
using TorchSharp;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

/// <summary>Broken variants of every file of a checkpoint: each loads or is refused as data, soon, with little memory, and leaves no tensor
/// behind.</summary>
/// <remarks>1,000 variants of each file; POSTTRAIN_FUZZ says another number.</remarks>
[Collection("Sequential")]
public sealed partial class CheckpointFuzzTests(ITestOutputHelper output) : IDisposable
{
    private const long MemoryLimit = 256 << 20;

    private static readonly string[] HostileValues =
    [
        "0",
        "-1",
        "1",
        "3",
        "2147483647",
        "-2147483648",
        "9223372036854775807",
        "18446744073709551616",
        "1e308",
        "1e999",
        "0.5",
        "null",
        "true",
        "\"\"",
        "\"x\"",
        "[]",
        "{}",
        "[[[[]]]]",
        "{\"rope_type\":\"default\",\"rope_theta\":1e300}",
        "\"\\ud800\"",
        "\"../../etc/passwd.safetensors\"",
        "[0,4611686018427387904,4611686018427387904]",
        "[1,1,1,1,1,1,1,1]",
    ];

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    private static int Count =>
        int.TryParse(Environment.GetEnvironmentVariable("POSTTRAIN_FUZZ"), NumberStyles.None, CultureInfo.InvariantCulture, out var given)
            ? given
            : 1000;

    [Theory]
    [InlineData("llama", "config.json")]
    [InlineData("gpt2", "config.json")]
    [InlineData("llama", "model.safetensors")]
    [InlineData("llama", "model.safetensors.index.json")]
    [InlineData("reward", "config.json")]
    [InlineData("critic", "model.safetensors")]
    public void Load_MutatedFile_LoadsOrIsRefused(string kind, string file)
    {
        Save(kind, sharded: file.EndsWith(".index.json", StringComparison.Ordinal));
        var path = directory.File(file);
        var original = File.ReadAllBytes(path);
        var random = new Random(20261121);
        var (loaded, refused, slowest) = (0, 0, TimeSpan.Zero);
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        var memory = Resident("VmRSS:", reset: true);
        for (var i = 0; i < Count; i++)
        {
            File.WriteAllBytes(path, Mutate(original, random));
            var watch = Stopwatch.StartNew();
            try
            {
                using nn.Module model = kind switch
                {
                    "reward" => Pretrained.LoadRewardModel(directory.Path),
                    "critic" => Pretrained.LoadCritic(directory.Path),
                    _ => Pretrained.Load(directory.Path),
                };
                loaded++;
            }
            catch (InvalidDataException)
            {
                refused++;
            }

            slowest = watch.Elapsed > slowest ? watch.Elapsed : slowest;
        }

        var peak = Resident("VmHWM:", reset: false) - memory;
        output.WriteLine(
            $"{kind} {file}: {Count} variants, {loaded} loaded, {refused} refused, the slowest took "
                + $"{slowest.TotalMilliseconds:F1} ms, {peak >> 20} MiB more at the peak"
        );
        Assert.True(loaded > Count / 200 && refused > Count / 10, $"{loaded} loaded, {refused} refused");
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        Assert.True(slowest < TimeSpan.FromSeconds(5), $"the slowest took {slowest}");
        Assert.True(peak < MemoryLimit, $"{peak >> 20} MiB at the peak");
    }

    // What the header says of a tensor is what reading it gives, in every variant that opens.
    [Fact]
    public void Open_MutatedSafetensors_IsReadOrRefused()
    {
        var path = directory.File("whole.safetensors");
        using (var scope = NewDisposeScope())
            SafetensorsFile.Write(
                path,
                [("w", ones(3, 2)), ("b", zeros(2)), ("ids", arange(4)), ("h", ones(2, dtype: ScalarType.BFloat16)), ("wide", ones(1000))],
                new Dictionary<string, string> { ["format"] = "pt" }
            );
        var original = File.ReadAllBytes(path);
        var random = new Random(20260701);
        var (read, refused) = (0, 0);
        for (var i = 0; i < Count; i++)
        {
            File.WriteAllBytes(path, Mutate(original, random));
            try
            {
                using var scope = NewDisposeScope();
                using var file = SafetensorsFile.Open(path);
                foreach (var entry in file.Entries)
                {
                    var tensor = file.Read(entry.Name);
                    Assert.Equal(entry.Shape, tensor.shape);
                    Assert.Equal(entry.Type, tensor.dtype);
                    file.ReadInto(entry.Name, tensor.to_type(ScalarType.Float32));
                }

                read++;
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        }

        output.WriteLine($"{Count} variants, {read} read, {refused} refused");
        Assert.True(read > Count / 50 && refused > Count / 10, $"{read} read, {refused} refused");
    }

    private void Save(string kind, bool sharded)
    {
        var options = new SaveOptions { MaxShardBytes = sharded ? 4000 : SaveOptions.DefaultMaxShardBytes };
        var body = TinyModels.Create(kind == "gpt2" ? "gpt2" : "llama", ScalarType.Float32);
        if (kind == "reward")
        {
            using var model = SequenceClassifier.For(body);
            Pretrained.Save(model, directory.Path, options);
        }
        else if (kind == "critic")
        {
            using var model = ValueHead.WithOwnBody(body);
            Pretrained.Save(model, directory.Path, options);
        }
        else
        {
            using (body)
                Pretrained.Save(body, directory.Path, options);
        }
    }

    // Half of the variants have broken bytes, the others a value of the JSON in them replaced by one that somebody might try.
    private static byte[] Mutate(byte[] original, Random random)
    {
        var bytes = original.ToList();
        for (var changes = random.Next(1, 4); changes > 0 && bytes.Count > 0; changes--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(8))
            {
                case 0:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes[random.Next(Math.Min(bytes.Count, 2000))] = (byte)"0123456789[]{},:\"-eF"[random.Next(20)];
                    break;
                case 3:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 9), bytes.Count - at));
                    break;
                default:
                    bytes = Replace(bytes, random);
                    break;
            }
        }

        return [.. bytes];
    }

    private static List<byte> Replace(List<byte> bytes, Random random)
    {
        // Latin-1 keeps every byte apart, so that the tensors behind a header stay as they are.
        var text = Encoding.Latin1.GetString([.. bytes]);
        var values = JsonValue().Matches(text[..Math.Min(text.Length, 4000)]);
        if (values.Count == 0)
            return bytes;
        var value = values[random.Next(values.Count)].Groups[1];
        return
        [
            .. Encoding.Latin1.GetBytes(
                text[..value.Index] + HostileValues[random.Next(HostileValues.Length)] + text[(value.Index + value.Length)..]
            ),
        ];
    }

    [GeneratedRegex("""[:\[,]\s*("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null)(?=\s*[,\]}])""", RegexOptions.CultureInvariant)]
    private static partial Regex JsonValue();

    private static long Resident(string field, bool reset)
    {
        if (!OperatingSystem.IsLinux())
            return 0;
        if (reset)
            File.WriteAllText("/proc/self/clear_refs", "5");
        return 1024
            * long.Parse(
                File.ReadLines("/proc/self/status")
                    .Single(line => line.StartsWith(field, StringComparison.Ordinal))
                    .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1],
                CultureInfo.InvariantCulture
            );
    }
}
