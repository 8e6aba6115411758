using Parquet;
using Parquet.Schema;
using Parquet.Serialization;

namespace PostTrain.Tests.Data;

/// <summary>Parquet files of conversations, as other programs write them.</summary>
internal static class ParquetSamples
{
    /// <summary>Writes rows with a text that may be null, messages, a number and a truth value; two rows a group.</summary>
    internal static void Write(string path, int rows, CompressionMethod method = CompressionMethod.Snappy)
    {
        var schema = new ParquetSchema(
            new DataField<string>("source"),
            new ListField("messages", new StructField("element", new DataField<string>("role"), new DataField<string>("content"))),
            new DataField<double>("score"),
            new DataField<bool>("label")
        );
        IDictionary<string, object?>[] data =
        [
            .. Enumerable
                .Range(0, rows)
                .Select(i => new Dictionary<string, object?>
                {
                    ["source"] = i % 2 == 0 ? null : $"s{i}",
                    ["messages"] = new List<IDictionary<string, object?>>
                    {
                        new Dictionary<string, object?> { ["role"] = "user", ["content"] = $"frage é {i}" },
                        new Dictionary<string, object?> { ["role"] = "assistant", ["content"] = $"antwort 🙂 {i}" },
                    },
                    ["score"] = i / 2.0,
                    ["label"] = i % 2 == 0,
                }),
        ];
        using var stream = File.Create(path);
        ParquetSerializer
            .SerializeUntypedAsync(data!, schema, stream, new ParquetOptions { RowGroupSize = 2, CompressionMethod = method })
            .GetAwaiter()
            .GetResult();
    }
}
