using System.IO.Compression;
using System.Text;
using Parquet;
using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.Data.Records.Files;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Data;

/// <summary>JSON Lines, JSON, CSV, Parquet, and directories as the hub lays them out, read by one reader.</summary>
public sealed class DataFileTests : IDisposable
{
    private static readonly InstructionTemplate Plain = InstructionTemplate.Plain;
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Csv_WithQuotesLineBreaksAndCommas()
    {
        string path = directory.Write(
            "data.csv",
            "prompt,completion,source\r\n\"a, b=\",\"c\r\n\"\"d\"\"\",x\r\ne=,f,\r\n\"é=\",\"[1]\",y\r\n"
        );
        var read = RecordReader.Demonstrations(path, Plain);
        Assert.Equal([new("a, b=", "c\r\n\"d\""), new("e=", "f"), new("é=", "[1]")], read);
        Assert.Equal(["source"], read.Fields.Where(field => !field.IsRead).Select(field => field.Name));
        // Tabs, a byte order mark, and columns in another case.
        Assert.Equal(
            [new Demonstration("Add.\n1, 1", "2")],
            RecordReader.Demonstrations(directory.Write("data.tsv", "\uFEFFInstruction\tInput\tOutput\nAdd.\t1, 1\t2\n"), Plain)
        );
    }

    [Fact]
    public void Csv_HoldsVerdicts_AndMessagesAsJson()
    {
        string path = directory.Write("judged.csv", "prompt,completion,label\na,b,True\nc,d,0\n");
        Assert.Equal([new JudgedCompletion("a", "b", true), new("c", "d", false)], RecordReader.Judged(path, Plain));
        string talk =
            "[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"hi\"\"},{\"\"role\"\":\"\"assistant\"\",\"\"content\"\":\"\"ho\"\"}]";
        Assert.Equal(
            [new Demonstration("hi", "ho")],
            RecordReader.Demonstrations(directory.Write("talk.csv", $"id,messages\n1,\"{talk}\"\n"), Plain)
        );
    }

    [Theory]
    [InlineData("a,b\n1,2,3\n", "data.csv")]
    [InlineData("a,a\n1,2\n", "data.csv")]
    [InlineData("prompt,completion\n\"a,b\nc,d\n", "data.csv")]
    [InlineData("prompt,other\na,b\n", "row 1")]
    [InlineData("prompt,completion\n", "holds no records")]
    [InlineData("", "data.csv")]
    public void BrokenCsv_IsRefusedByName(string text, string part)
    {
        string path = directory.Write("data.csv", text);
        var error = Assert.Throws<InvalidDataException>(() => RecordReader.Demonstrations(path, Plain));
        Assert.Contains("data.csv", error.Message, StringComparison.Ordinal);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Csv_ThatIsNotUtf8_OrHoldsOneEndlessCell_IsRefusedByName()
    {
        string path = directory.Write("latin.csv", [.. "prompt,completion\n"u8, (byte)'a', 0xE9, .. ",b\n"u8]);
        Assert.Contains(
            "latin.csv is not UTF-8",
            Assert.Throws<InvalidDataException>(() => RecordReader.Demonstrations(path, Plain)).Message,
            StringComparison.Ordinal
        );
        string bomb = directory.Write("bomb.csv", "prompt,completion\n\"" + string.Concat(Enumerable.Repeat("x,y\n", 400_000)));
        long before = GC.GetTotalAllocatedBytes();
        var error = Assert.Throws<InvalidDataException>(() => CsvRows.Of(bomb, ',', mostCharacters: 100_000).Count());
        Assert.Contains("bomb.csv: a record has more than 100000 characters", error.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 16 << 20);
    }

    [Theory]
    [InlineData(CompressionMethod.None)]
    [InlineData(CompressionMethod.Snappy)]
    [InlineData(CompressionMethod.Gzip)]
    [InlineData(CompressionMethod.Zstd)]
    [InlineData(CompressionMethod.Brotli)]
    public void Parquet_WithNullsAndMessages(CompressionMethod method)
    {
        string path = directory.File("data.parquet");
        ParquetSamples.Write(path, 5, method);
        var read = RecordReader.Demonstrations(path, Plain);
        Assert.Equal(Enumerable.Range(0, 5).Select(i => new Demonstration($"frage é {i}", $"antwort 🙂 {i}")), read);
        // A null is no value.
        Assert.Equal(
            [("label", 5, false), ("messages", 5, true), ("score", 5, false), ("source", 2, false)],
            read.Fields.OrderBy(field => field.Name).Select(field => (field.Name, field.Records, field.IsRead))
        );
        Assert.Equal([true, false, true, false, true], RecordReader.Judged(path, Plain).Select(item => item.Desirable));
    }

    [Fact]
    public void DamagedParquet_IsRefusedByName_AndNeverMore()
    {
        string path = directory.File("data.parquet");
        ParquetSamples.Write(path, 6);
        byte[] whole = File.ReadAllBytes(path);
        string Refused(byte[] bytes) =>
            Assert.Throws<InvalidDataException>(() => RecordReader.Demonstrations(directory.Write("bad.parquet", bytes), Plain)).Message;
        Assert.Contains("bad.parquet is cut off", Refused(whole[..^1]), StringComparison.Ordinal);
        Assert.Contains("bad.parquet is cut off", Refused(whole[..(whole.Length / 2)]), StringComparison.Ordinal);
        Assert.Contains("is not a Parquet file", Refused("{\"prompt\":\"a\"}\n"u8.ToArray()), StringComparison.Ordinal);
        Assert.Contains("is not a Parquet file", Refused([]), StringComparison.Ordinal);
        Assert.Contains("git lfs", Refused("version https://git-lfs.github.com/spec/v1\n"u8.ToArray()), StringComparison.Ordinal);
        // A footer that is longer than the file.
        byte[] longer = [.. whole];
        BitConverter.TryWriteBytes(longer.AsSpan(longer.Length - 8), int.MaxValue);
        Assert.Contains("bad.parquet is cut off", Refused(longer), StringComparison.Ordinal);
        // Any single damage is either not seen in the values or refused by name.
        var random = new Random(3);
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("POSTTRAIN_FUZZ"), out int given) ? given : 300;
        for (int round = 0; round < rounds; round++)
        {
            byte[] damaged = [.. whole];
            for (int i = 0; i <= round % 3; i++)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            try
            {
                _ = RecordReader.Demonstrations(directory.Write("bad.parquet", damaged), Plain, new RecordOptions { SkipsInvalid = true });
            }
            catch (InvalidDataException error)
            {
                Assert.Contains("bad.parquet", error.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Directories_OfTheHub_GiveTheirSplit_InOrder()
    {
        Directory.CreateDirectory(directory.File("data"));
        ParquetSamples.Write(directory.File("data/train-00001-of-00002.parquet"), 2);
        ParquetSamples.Write(directory.File("data/train-00000-of-00002.parquet"), 3);
        ParquetSamples.Write(directory.File("data/test-00000-of-00001-0123abcd.parquet"), 1);
        directory.Write("README.md", "about");
        directory.Write("dataset_infos.json", "{}");
        var train = RecordReader.Demonstrations(directory.Path, Plain);
        Assert.Equal(["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"], train.Files.Select(file => Path.GetFileName(file)!));
        Assert.Equal([0, 1, 2, 0, 1], train.Select(item => item.Prompt.Text[^1] - '0'));
        Assert.Single(RecordReader.Demonstrations(directory.Path, Plain, new RecordOptions { Split = "test" }));
        Assert.Contains(
            "expected one of: test, train",
            Assert
                .Throws<FileNotFoundException>(() =>
                    RecordReader.Demonstrations(directory.Path, Plain, new RecordOptions { Split = "dev" })
                )
                .Message,
            StringComparison.Ordinal
        );
        File.Delete(directory.File("data/train-00001-of-00002.parquet"));
        Assert.Contains(
            "has 1 of 2 parts of train: part 00001 is missing",
            Assert.Throws<InvalidDataException>(() => RecordReader.Demonstrations(directory.Path, Plain)).Message,
            StringComparison.Ordinal
        );
    }

    public static TheoryData<string, string?, string[]> Layouts =>
        new()
        {
            { "train.jsonl test.jsonl", null, ["train.jsonl"] },
            { "train.jsonl test.jsonl", "test", ["test.jsonl"] },
            { "train/b.jsonl train/a.jsonl validation/c.jsonl", null, ["train/a.jsonl", "train/b.jsonl"] },
            { "train/a.jsonl valid/c.jsonl", "validation", ["valid/c.jsonl"] },
            { "my_train.csv my_dev.csv", null, ["my_train.csv"] },
            { "one.jsonl two.jsonl", null, ["one.jsonl", "two.jsonl"] },
            { "constrain.jsonl", null, ["constrain.jsonl"] },
            { ".cache/train.jsonl train.jsonl", null, ["train.jsonl"] },
            { "train.jsonl.gz test.jsonl.gz", null, ["train.jsonl.gz"] },
            { "train-00000-of-00001.jsonl.gz", null, ["train-00000-of-00001.jsonl.gz"] },
            {
                "data/train_sft-00000-of-00001.parquet data/train_prefs-00000-of-00001.parquet",
                "train_sft",
                ["data/train_sft-00000-of-00001.parquet"]
            },
            {
                "data/train_sft-00000-of-00001.parquet data/test_sft-00000-of-00001.parquet",
                null,
                ["data/train_sft-00000-of-00001.parquet"]
            },
        };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Layouts_AreUnderstood(string files, string? split, string[] chosen)
    {
        Make(files);
        Assert.Equal(
            chosen,
            RecordFiles.Of(directory.Path, split).Select(file => Path.GetRelativePath(directory.Path, file).Replace('\\', '/'))
        );
    }

    [Theory]
    [InlineData(
        "data/train_sft-00000-of-00001.parquet data/train_prefs-00000-of-00001.parquet",
        "several splits for train: train_prefs, train_sft"
    )]
    [InlineData(
        "main/train-00000-of-00001.parquet socratic/train-00000-of-00001.parquet",
        "several places: main/*.parquet, socratic/*.parquet"
    )]
    [InlineData("train.jsonl train.csv", "several places: *.csv, *.jsonl")]
    public void UnclearLayouts_AreRefused(string files, string reason)
    {
        Make(files);
        var error = Assert.Throws<InvalidDataException>(() => RecordFiles.Of(directory.Path, null));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.Contains(directory.Path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MissingData_IsSaid()
    {
        Assert.Throws<FileNotFoundException>(() => RecordFiles.Of(directory.File("none"), null));
        directory.Write("README.md", "x");
        Assert.Contains(
            "holds no data, expected files with .parquet",
            Assert.Throws<FileNotFoundException>(() => RecordFiles.Of(directory.Path, null)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("data.jsonl", "{\"prompt\":\"a\",\"completion\":\"b\"}\n")]
    [InlineData("data.json", "[{\"prompt\":\"a\",\"completion\":\"b\"}]")]
    [InlineData("data.csv", "prompt,completion\na,b\n")]
    public void Gzip_IsInflated_AndRefusedByNameWhereItIsDamaged(string name, string text)
    {
        byte[] packed = Packed(Encoding.UTF8.GetBytes(text));
        string path = directory.Write(name + ".gz", packed);
        Assert.Equal([new Demonstration("a", "b")], RecordReader.Demonstrations(path, Plain));
        foreach (
            byte[] damaged in (byte[][])[Encoding.UTF8.GetBytes(text), packed[..^9], [.. packed.Take(12), 0xFF, 0xFF, .. packed.Skip(14)]]
        )
            Assert.Contains(
                name + ".gz",
                Assert
                    .Throws<InvalidDataException>(() => RecordReader.Demonstrations(directory.Write(name + ".gz", damaged), Plain))
                    .Message,
                StringComparison.Ordinal
            );
    }

    [Fact]
    public void Gzip_ThatGrowsWithoutBound_IsRefused()
    {
        byte[] zeros = new byte[8 << 20];
        Array.Fill(zeros, (byte)'x');
        "[{\"prompt\":\""u8.CopyTo(zeros);
        string path = directory.Write("bomb.json.gz", Packed(zeros));
        Assert.InRange(new FileInfo(path).Length, 0, 1 << 17);
        Assert.Contains(
            "bomb.json.gz: a record has more than",
            Assert.Throws<InvalidDataException>(() => JsonRows.Of(path, mostBytes: 1 << 20).Count()).Message,
            StringComparison.Ordinal
        );
    }

    private static byte[] Packed(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
            gzip.Write(bytes);
        return packed.ToArray();
    }

    [Fact]
    public void InvalidRecords_AreSkippedAndListed_OnRequest()
    {
        string path = directory.Write(
            "data.jsonl",
            "{\"prompt\":\"a\",\"completion\":\"b\"}\n{\"prompt\":\"c\"}\n{\"prompt\":3,\"completion\":[1]}\n"
        );
        Assert.Throws<InvalidDataException>(() => RecordReader.Demonstrations(path, Plain));
        var read = RecordReader.Demonstrations(path, Plain, new RecordOptions { SkipsInvalid = true });
        Assert.Equal((1, 3, 2), (read.Count, read.Records, read.SkippedCount));
        Assert.Equal([$"{path}, line 2", $"{path}, line 3"], read.Skipped.Select(record => record.Place));
        Assert.Contains("the field completion is a JSON array", read.Skipped[1].Reason, StringComparison.Ordinal);
        Assert.Contains("2 of 3 records were left out", read.Notes[0].Message, StringComparison.Ordinal);
        Assert.Equal(
            2,
            RecordReader
                .Demonstrations(directory.Write("two.jsonl", File.ReadAllLines(path)[0] + "\n" + File.ReadAllLines(path)[0]), Plain)
                .Count
        );
        Assert.Single(RecordReader.Demonstrations(directory.File("two.jsonl"), Plain, new RecordOptions { MaximumRecords = 1 }));
    }

    [Theory]
    [InlineData("lines.jsonl")]
    [InlineData("array.json")]
    [InlineData("table.csv")]
    public void Streams_ReadNoFurtherThanTheyAreAsked(string name)
    {
        const int records = 2_000;
        string path = directory.File(name);
        using (var writer = new StreamWriter(path, append: false, new UTF8Encoding(false)))
        {
            if (name == "table.csv")
                writer.WriteLine("prompt,completion");
            if (name == "array.json")
                writer.Write("[\n");
            for (int i = 0; i < records; i++)
            {
                string text = new('x', 200);
                writer.WriteLine(
                    name == "table.csv"
                        ? $"{i},{text}"
                        : $"{{\"prompt\":\"{i}\",\"completion\":\"{text}\"}}{(name == "array.json" ? "," : "")}"
                );
            }
            // What is broken at the end is seen at the end.
            writer.Write(name == "table.csv" ? "1,2,3\n" : "{\"prompt\"");
        }
        int count = 0;
        var error = Assert.Throws<InvalidDataException>(() =>
        {
            foreach (var item in RecordReader.Stream(path, RecordForms.Demonstrations(Plain)))
                Assert.Equal($"{count++}", item.Prompt.Text);
        });
        Assert.Equal(records, count);
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.Equal("0", RecordReader.Stream(path, RecordForms.Demonstrations(Plain)).First().Prompt.Text);
    }

    [Fact]
    public void Streams_OfParquet_GiveEveryRowGroup()
    {
        string path = directory.File("data.parquet");
        ParquetSamples.Write(path, 9);
        var stream = RecordReader.Stream(path, RecordForms.Problems(Plain), new RecordOptions { SkipsInvalid = true });
        Assert.Empty(stream);
        Assert.Equal(9, RecordReader.Stream(path, RecordForms.Demonstrations(Plain)).Chunk(4).Sum(chunk => chunk.Length));
    }

    private void Make(string files)
    {
        foreach (string file in files.Split(' '))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(directory.File(file))!);
            directory.Write(file, "{\"prompt\":\"a\",\"completion\":\"b\"}\n");
        }
    }
}
