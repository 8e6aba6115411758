using System.Buffers.Binary;
using System.Text;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.TensorBoard;

namespace PostTrain.Tests.Training;

public sealed class TensorBoardLogTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    // RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
    [Theory]
    [InlineData("313233343536373839", 0xE3069283)]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000", 0x8A9136AA)]
    [InlineData("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", 0x62A8AB43)]
    [InlineData("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", 0x46DD794E)]
    [InlineData("", 0u)]
    public void Crc_IsCastagnolis(string hex, uint crc) => Assert.Equal(crc, TfRecord.Crc(Convert.FromHexString(hex)));

    // Every event file begins with these bytes: a record of 24 bytes, whose length has the masked CRC 0x224b7fa3.
    [Fact]
    public void Version_IsTheKnownBeginning()
    {
        var record = TfRecord.Frame(EventMessage.Version(1.5));
        Assert.Equal(
            "1800000000000000" + "A37F4B22" + "09" + "000000000000F83F" + "1A0D" + "627261696E2E4576656E743A32",
            Convert.ToHexString(record.AsSpan(0, 36))
        );
        Assert.Equal(40, record.Length);
    }

    // By hand: wall_time 2 (09, little-endian 0x4000000000000000), step 300 = 0xAC 0x02, summary of 14 bytes, value of 12 bytes, tag "a/b
    // c" of 5, float32 −1.5 = 0xBFC00000.
    [Fact]
    public void Scalars_AreTheHandWorkedBytes() =>
        Assert.Equal(
            "09" + "0000000000000040" + "10AC02" + "2A0E" + "0A0C" + "0A05612F622063" + "150000C0BF",
            Convert.ToHexString(EventMessage.Scalars(2, 300, [new("a/b c", -1.5)]))
        );

    [Fact]
    public void SessionStart_IsTheHandWorkedBytes() =>
        Assert.Equal("09" + "0000000000000040" + "1007" + "3A02" + "0801", Convert.ToHexString(EventMessage.SessionStart(2, 7)));

    [Fact]
    public void Report_WritesEveryMetricOfEveryStep()
    {
        string path;
        using (var log = TensorBoardLog.Open(directory.Path))
        {
            path = log.Path;
            log.Report(At(1, 0.5, ("reward/mean", 0.25), ("kl", double.NaN), ("loss", 9)));
            log.Report(At(2, 1e300, ("näme", 1)));
        }
        Assert.Matches(@"^events\.out\.tfevents\.\d{10}\..+\.\d+\.0$", Path.GetFileName(path));
        Assert.Equal(
            [("loss", 1L, 0.5f), ("reward/mean", 1, 0.25f), ("kl", 1, float.NaN), ("loss", 2, float.PositiveInfinity), ("näme", 2, 1)],
            Board()
        );
    }

    [Fact]
    public void ResumedRun_ReplacesWhatCameAfterItsCheckpoint()
    {
        Write(null, 1, 6);
        Write(4, 5, 8);
        Write(6, 7, 7);
        Assert.Equal(3, Directory.GetFiles(directory.Path).Length);
        Assert.Equal([1L, 2, 3, 4, 5, 6, 7], Board().Select(point => point.Step));
        // The second process said 50, the third 7.
        Assert.Equal([1f, 2, 3, 4, 50, 60, 700], Board().Select(point => point.Value));

        void Write(long? resume, int from, int to)
        {
            using var log = TensorBoardLog.Open(directory.Path, resume);
            float factor = resume switch
            {
                null => 1,
                4 => 10,
                _ => 100,
            };
            for (int step = from; step <= to; step++)
                log.Report(At(step, step * factor));
        }
    }

    [Fact]
    public void TornFile_OfAKilledProcess_DoesNoHarm()
    {
        string first;
        using (var log = TensorBoardLog.Open(directory.Path))
        {
            first = log.Path;
            for (int step = 1; step <= 3; step++)
                log.Report(At(step, step));
        }
        using (var file = new FileStream(first, FileMode.Open))
            file.SetLength(file.Length - 5);
        using (var log = TensorBoardLog.Open(directory.Path, resumeAfterStep: 2))
            log.Report(At(3, 30));
        Assert.Equal([1f, 2, 30], Board().Select(point => point.Value));
    }

    [Fact]
    public void Report_AfterDispose_Throws()
    {
        var log = TensorBoardLog.Open(directory.Path);
        log.Dispose();
        log.Dispose();
        Assert.Throws<ObjectDisposedException>(() => log.Report(At(1, 1)));
    }

    private static StepReport At(long step, double loss, params (string Name, double Value)[] metrics) =>
        new(step, loss, metrics.ToDictionary(metric => metric.Name, metric => metric.Value), TimeSpan.FromSeconds(step));

    // What TensorBoard shows: files in the order of their names, each up to its first torn record, each session start voiding the steps
    // from its own on.
    private List<(string Tag, long Step, float Value)> Board()
    {
        var points = new List<(string Tag, long Step, float Value)>();
        foreach (var file in Directory.GetFiles(directory.Path).OrderBy(path => path, StringComparer.Ordinal))
        {
            var bytes = File.ReadAllBytes(file);
            bool first = true;
            for (int at = 0; at + 12 <= bytes.Length; )
            {
                int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
                Assert.Equal(TfRecord.MaskedCrc(bytes.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8)));
                if (at + 12 + length + 4 > bytes.Length)
                    break;
                var data = bytes.AsSpan(at + 12, length);
                Assert.Equal(TfRecord.MaskedCrc(data), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length)));
                var fields = Fields(data.ToArray());
                if (first)
                    Assert.Equal("brain.Event:2", Encoding.UTF8.GetString((byte[])Assert.Single(fields, field => field.Number == 3).Value));
                first = false;
                long step = fields.Where(field => field.Number == 2).Select(field => (long)(ulong)field.Value).SingleOrDefault();
                if (fields.Any(field => field.Number == 7))
                    points.RemoveAll(point => point.Step >= step);
                foreach (var summary in fields.Where(field => field.Number == 5))
                foreach (var value in Fields((byte[])summary.Value))
                {
                    var parts = Fields((byte[])value.Value);
                    points.Add(
                        (
                            Encoding.UTF8.GetString((byte[])parts.Single(part => part.Number == 1).Value),
                            step,
                            (float)parts.Single(part => part.Number == 2).Value
                        )
                    );
                }
                at += 16 + length;
            }
        }
        return points;
    }

    private static List<(int Number, object Value)> Fields(byte[] message)
    {
        var fields = new List<(int, object)>();
        for (int at = 0; at < message.Length; )
        {
            ulong key = Varint(message, ref at);
            object value;
            switch (key & 7)
            {
                case 0:
                    value = Varint(message, ref at);
                    break;
                case 1:
                    value = BitConverter.ToDouble(message, at);
                    at += 8;
                    break;
                case 5:
                    value = BitConverter.ToSingle(message, at);
                    at += 4;
                    break;
                default:
                    int length = (int)Varint(message, ref at);
                    value = message[at..(at + length)];
                    at += length;
                    break;
            }
            fields.Add(((int)(key >> 3), value));
        }
        return fields;
    }

    private static ulong Varint(byte[] message, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = message[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
                return value;
        }
    }
}
