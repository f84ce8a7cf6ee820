# The rest of the member names: elements that messages between a small client and its gateway do without. A line is what
# it is in wire_names.py. Not in capitals: as a constant it would be put into that module again.

elements = """
16|Message is segmented|segInd|
17|Segmentation set identifier|segId|
18|Message segment number|segNumb|
19|Total number of message segments|totalSegCount|
20|Last segment flag|lastSegFlag|
25|Broadcast Area ID|
26|Latency|latency|
27|MSGin5G Client Profile|clientProfile|Client Profile|
28|MSGin5G Client Triggering Information|triggeringInformation|
29|UE Identifier|
30|Port number|portNumber|Port number(s)|
31|Associated protocol|
32|MSGin5G Client Communication Availability|communicationAvailability|
33|Scheduled communication time|
34|Communication duration time|
35|Periodic communication indicator|
36|Periodic communication interval|
37|Data size indication|
38|Store and forward option|
39|MSGin5G Client Supported Maximum MSGin5G segment size|segSize|Supported Maximum MSGin5G segment size|
40|Registration urgent degree|
41|Registration request expiration time||Wait time|
42|Expected registration time|
43|Security credentials|secCred|
44|UE credential information|
45|Originating UE Service ID/AS Service ID|oriAddr|Originating address|
46|Recipient UE Service ID/AS Service ID|destAddr|Destination address|
47|Address type|addrType|
48|Address|addr|
49|Segmentation parameters|segParams|
50|Number of individual MSGin5G UE registration requests||Number of individual MSGin5G UE registration request|
51|List of individual MSGin5G UE registration request||List of individual MSGin5G UE registration requests|
52|Number of individual MSGin5G UE registration responses||Number of individual MSGin5G UE registration response|
53|List of individual MSGin5G UE registration response||List of individual MSGin5G UE registration responses|
54|Number of individual messages|
55|List of individual messages||List of individual message|
56|Missing segment numbers|
57|Layer-2 ID|
58|MSGin5G UE ID|
59|Required packet size|
60|Allowed packet size|
61|Messaging Topics|msgTopics|List of Messaging Topics|
62|Subscription status|subStat|
63|Expiration|
64|Target address|
65|Target type|
66|Messages waiting|
67|Expected configuration time|
68|Number of individual delivery status reports|
69|List of individual delivery status reports||List of individual delivery status report|
70|MSGin5G Server Service ID|
"""
